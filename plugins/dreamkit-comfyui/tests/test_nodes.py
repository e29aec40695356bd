"""The nodes dream what the command dreams, and keep ComfyUI's contract."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import InterruptProcessingException, pixels_of, saved, tensor
from dreamkit_comfyui import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS, inputs, nodes, pictures, process
from dreamkit_comfyui.process import DreamkitError
from PIL import Image

from dreamkit.config import DreamConfig

FOLDER = Path(__file__).parents[1]
SMALL = {"octaves": 1, "steps": 2}


@pytest.mark.parametrize("name", NODE_CLASS_MAPPINGS)
def test_a_node_keeps_the_contract(name):
    node = NODE_CLASS_MAPPINGS[name]
    kinds = node.INPUT_TYPES()
    given = {**kinds["required"], **kinds.get("optional", {})}
    for kind, about in given.values():
        assert about["tooltip"]
        assert isinstance(kind, list) or kind in ("IMAGE", "MASK", "STRING", "INT", "FLOAT", "BOOLEAN")
        if isinstance(kind, list):
            assert about.get("default", kind[0]) in kind
    assert name in NODE_DISPLAY_NAME_MAPPINGS
    assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) == 1
    assert node.CATEGORY == "dreamkit"
    assert node.VALIDATE_INPUTS(**dict.fromkeys(given)) is True
    inspect.signature(getattr(node, node.FUNCTION)).bind(node(), **dict.fromkeys(given))


def test_defaults_ranges_and_names_are_those_of_dreamkit(dreamkit):
    kinds = nodes.GuidedDream.INPUT_TYPES()["required"]
    config = DreamConfig()
    for name in nodes._GUIDED:
        chosen = getattr(config, name)
        assert kinds[name][1]["default"] in ([0, ""] if chosen is None else [chosen]), name
    assert kinds["network"][0] == [
        "default",
        *(each["name"] for each in json.loads(dreamkit("models", "--json"))),
    ]
    assert kinds["strength"][1]["max"] == 10
    assert kinds["seed"][1]["max"] == 2**64 - 1
    assert kinds["octaves"][1]["tooltip"].endswith("0: by size.")
    assert {"default", "shells"} <= set(nodes.Recipe.INPUT_TYPES()["required"]["name"][0])
    defaults = {name: about["default"] for name, (_, about) in kinds.items() if name != "image"}
    assert inputs.arguments(defaults) == []
    assert inputs.arguments({**defaults, "layers": "-x", "network": "pocket", "seed": 7}) == [
        "--model=pocket", "--layers=-x", "--seed=7",
    ]  # fmt: skip


def executed(workflow, classes):
    """The outputs of the nodes of a workflow in ComfyUI's API format, by the number of the node."""
    outputs = {}

    def value(given):
        return output(given[0])[given[1]] if isinstance(given, list) else given

    def output(number):
        if number not in outputs:
            node = classes[workflow[number]["class_type"]]
            given = {name: value(each) for name, each in workflow[number]["inputs"].items()}
            outputs[number] = getattr(node(), node.FUNCTION)(**given)
        return outputs[number]

    return {number: output(number) for number in workflow}


def test_the_workflow_gives_the_pixels_of_the_command(photo, comfyui, dreamkit, tmp_path):
    class LoadImage:
        FUNCTION = "load"

        def load(self, image):
            return tensor(pixels_of(comfyui.inputs / image)), None

    class SaveImage:
        FUNCTION = "save"

        def save(self, images, **_):
            return saved(images)

    Image.fromarray(photo).save(comfyui.inputs / "example.png")
    workflow = json.loads((FOLDER / "workflows" / "api" / "dream.json").read_text())
    found = executed(workflow, {**NODE_CLASS_MAPPINGS, "LoadImage": LoadImage, "SaveImage": SaveImage})
    options = ("--recipe", "shells", "--blend", "0.2", "--steps", "10", "--seed", "7")
    dreamkit("dream", comfyui.inputs / "example.png", "-o", "dream.png", *options)
    (picture,) = found["4"]
    np.testing.assert_array_equal(picture, pixels_of(tmp_path / "dream.png"))
    assert (picture != photo).mean() > 0.5

    (tmp_path / "dream.png").rename(comfyui.inputs / "dream.png")
    (text,) = nodes.Recipe().find("shells", "", "dream.png")
    assert "seed = 7" in text
    with Image.open(comfyui.inputs / "dream.png") as image:
        assert nodes.Recipe().find("shells", image.text["dreamkit"]) == (text,)


def test_a_mask_and_a_guide_give_the_pixels_of_the_command(photo, comfyui, dreamkit, tmp_path):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[:, 20:] = 200
    guide = photo[:, ::-1]
    given = {"network": "pocket", "guide_style": "channels", "seed": 3, **SMALL}
    (dreamed,) = nodes.GuidedDream().dream(tensor(photo), tensor(mask), tensor(guide), **given)
    for name, pixels in {"photo": photo, "mask": mask, "guide": guide}.items():
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    options = ["-m", "pocket", "--guide-style", "channels", "--seed", 3, "--octaves", 1, "--steps", 2]
    dreamkit("dream", "photo.png", "--mask", "mask.png", "--guide", "guide.png", "-o", "dream.png", *options)
    (picture,) = saved(dreamed)
    np.testing.assert_array_equal(picture, pixels_of(tmp_path / "dream.png"))
    np.testing.assert_array_equal(picture[:, :20], photo[:, :20])
    assert [done for done, _ in comfyui.shown] == [0.5, 1, 1]
    previews = [preview for _, preview in comfyui.shown if preview is not None]
    assert [(kind, image.size) for kind, image, _ in previews] == [("JPEG", (64, 48))] * 2


def test_each_picture_of_a_batch_is_dreamed_with_its_own_mask_and_guide(photo, comfyui, monkeypatch):
    ran = []

    def run(words, folder, on_event, check_interrupted):
        on_event({"event": "step", "done": 0.5})
        _, name, output, *_ = words
        (folder / output.removeprefix("--output=")).write_bytes((folder / name).read_bytes())
        ran.append([word for word in words if "photograph" in word or "mask" in word or "guide=" in word])

    monkeypatch.setattr(process, "run", run)
    image, guide = tensor(photo, photo[::-1]), tensor(photo[:, ::-1], photo)
    (dreamed,) = nodes.GuidedDream().dream(image, tensor(photo[..., 0]), guide)
    np.testing.assert_array_equal(saved(dreamed), [photo, photo[::-1]])
    assert ran == [
        ["photograph1.png", "--mask=mask1.png", "--guide=guide1.png"],
        ["photograph2.png", "--mask=mask1.png", "--guide=guide2.png"],
    ]
    assert [done for done, _ in comfyui.shown] == [0.25, 0.5, 0.75, 1]


def test_a_zoom_gives_the_frames_of_the_command(photo, comfyui, dreamkit, tmp_path):
    for needed in ("av", "cv2"):
        if find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed; install deepdreamkit[video]")
    (frames,) = nodes.Zoom().zoom_in(tensor(photo), 2, 1.1, 0.0, "", False, recipe="jitter = 8\n", **SMALL)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    (tmp_path / "mine.toml").write_text("jitter = 8\n")
    options = ("--zoom", 1.1, "--octaves", 1, "--steps", 2)
    dreamkit("zoom", "photo.png", "-o", "frames", "--frames", 2, "-r", "mine.toml", *options)
    expected = [pixels_of(path) for path in sorted((tmp_path / "frames").iterdir())]
    np.testing.assert_array_equal(saved(frames), expected)
    assert [done for done, _ in comfyui.shown] == [0.5, 1, 1]


def test_an_interruption_ends_the_process(photo, comfyui, monkeypatch):
    started = []
    begin = subprocess.Popen

    def noted(*arguments, **given):
        started.append(begin(*arguments, **given))
        return started[-1]

    comfyui.interrupt_at = 1
    monkeypatch.setattr(subprocess, "Popen", noted)
    with pytest.raises(InterruptProcessingException):
        nodes.Dream().dream(tensor(photo), octaves=1, steps=100_000)
    assert len(comfyui.shown) == 1
    assert started[-1].returncode not in (None, 0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"strength": 11.0},
            "strength is 11.0; it takes subtle, normal, wild or a number, above 0, at most 10",
        ),
        ({"recipe": "stepz = 3"}, "recipe.toml: there is no key 'stepz'; did you mean steps"),
        ({"recipe": "shell"}, "shell is neither a recipe nor a file; did you mean shells"),
        ({"network": "pockets"}, "did you mean pocket"),
    ],
)
def test_an_error_of_dreamkit_is_one_line(photo, given, says):
    with pytest.raises(DreamkitError) as error:
        nodes.Dream().dream(tensor(photo), **given)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.__suppress_context__
    assert len(error.traceback) == 2  # this test, and the node


def test_a_mask_for_other_pictures_is_refused(photo):
    mask = photo[..., 0]
    with pytest.raises(DreamkitError, match="mask has 3 pictures and image has 2; give one, or as many"):
        nodes.GuidedDream().dream(tensor(photo, photo), mask=tensor(mask, mask, mask))


def test_a_bug_is_one_line_and_the_log_has_the_rest(monkeypatch, tmp_path, caplog):
    program = "import sys; sys.stderr.write('noise\\n'); raise ValueError('odd')"
    monkeypatch.setattr(process, "command", lambda: (sys.executable, "-c", program))
    with pytest.raises(
        DreamkitError, match="^dreamkit failed, and ComfyUI's log says more: ValueError: odd$"
    ):
        process.run([], tmp_path, lambda event: None, lambda: None)
    assert "noise" in caplog.text
    monkeypatch.setattr(process, "command", lambda: (sys.executable, "-c", "raise SystemExit(9)"))
    with pytest.raises(DreamkitError, match="it ended with code 9"):
        process.answer("models", folder=tmp_path)


@pytest.mark.parametrize("python", ["", "no-such-python"])
def test_without_dreamkit_the_nodes_load_and_say_what_to_do(photo, monkeypatch, tmp_path, python):
    monkeypatch.setenv(process.PYTHON, python)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(process.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(inputs, "_asked", inputs._asked.__wrapped__)  # nothing is kept from other tests
    says = (
        "no-such-python, which is not a program" if python else "dreamkit is not installed; run pip install"
    )
    kinds = nodes.Dream.INPUT_TYPES()["required"]
    assert list(kinds) == ["image", "network", *nodes._OPTIONS]
    assert says in kinds["strength"][1]["tooltip"]
    with pytest.raises(DreamkitError, match=says):
        nodes.Dream().dream(tensor(photo), network="default", strength=1.0)


def test_a_recipe_is_a_name_a_text_or_that_of_a_picture(comfyui, photo):
    find = nodes.Recipe().find
    assert find("shells", "") == ("shells",)
    assert find("shells", "# mine\nsteps = 3\n") == ("steps = 3\n",)
    with pytest.raises(DreamkitError, match=r"^recipe.toml: steps is 'many'"):
        find("shells", "steps = 'many'")
    Image.fromarray(photo).save(comfyui.inputs / "photo.png")
    with pytest.raises(DreamkitError, match="photo.png carries no recipe"):
        find("shells", "", "photo.png")
    assert nodes.Recipe.IS_CHANGED("photo.png", name="shells") != nodes.Recipe.IS_CHANGED(name="shells")
    assert nodes.Recipe.INPUT_TYPES()["required"]["picture"][0] == ["none", "photo.png"]
    Image.fromarray(photo).save(comfyui.inputs.parent / "outside.png")
    for other in ("other.png", "../outside.png", str(comfyui.inputs.parent / "outside.png")):
        with pytest.raises(DreamkitError, match=f"{other} is not in ComfyUI's input folder"):
            find("shells", "", other)
    with pytest.raises(DreamkitError, match="give the recipe by one of them"):
        find("shells", "steps = 3", "photo.png")


def test_pictures_pass_as_they_are(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for pixels in (np.dstack([levels] * 3), np.dstack([levels, levels.T, levels, levels])):
        names = pictures.write(tensor(pixels, pixels[::-1]), tmp_path, "picture")
        first, second = saved(pictures.read([tmp_path / name for name in names]))
        np.testing.assert_array_equal(first, pixels)
        np.testing.assert_array_equal(second, pixels[::-1])
    pictures.write(
        pictures.to_tensor(levels.astype(np.float32) / 255), tmp_path, "mask"
    )  # one without a batch
    np.testing.assert_array_equal(pixels_of(tmp_path / "mask1.png"), levels)
