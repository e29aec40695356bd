"""Dreams of texts by a tiny contrastive pair, which `scripts/train_tiny_clip.py` trained: see docs/text.md.

The pair is judged as it was trained, by ONNX Runtime: the picture that is dreamed must be nearer to the text
that was named than to all others.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import skip_without_converter
from PIL import Image

import dreamkit
from dreamkit.media import video
from dreamkit.models import converted

skip_without_converter()
pytest.importorskip("tokenizers")
pytestmark = [pytest.mark.heavy, pytest.mark.timeout(900)]

PAIR = Path(__file__).parent / "data" / "tiny_clip"
CAT = Path(__file__).parent.parent / "docs" / "pictures" / "chelsea.jpg"
SIDE = 64
TEXTS = [
    f"a {colour} {shape}"
    for colour in ("red", "green", "blue", "yellow", "purple", "orange")
    for shape in ("circle", "square", "triangle", "star")
]
FILES = ("--text-tower", PAIR / "text.onnx", "--tokenizer", PAIR / "tokenizer.json")
PIXELS = ("--mean", "127.5,127.5,127.5", "--scale", str(1 / 127.5))
BOLD = ("-m", "pair", "--octaves", "1", "--color", "free", "--jitter", "8", "-q")  # see docs/text.md
QUICK = ("--size", SIDE, "--octaves", "1", "--steps", "3", "-q")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The pair, converted once through the command line."""
    from dreamkit.cli import main

    home = tmp_path_factory.mktemp("pair")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DREAMKIT_HOME", str(home))
        with pytest.raises(SystemExit) as caught:
            main(
                [
                    str(each)
                    for each in ("convert", "onnx", PAIR / "image.onnx", *FILES, *PIXELS, "--name", "pair")
                ]
            )
    assert caught.value.code == 0
    return home / "models" / "pair"


@pytest.fixture
def pair(folder, run):
    """The pair as an installed model."""
    converted.folder().mkdir(parents=True, exist_ok=True)
    shutil.copytree(folder, converted.folder() / "pair")
    return converted.provider(converted.folder() / "pair")


def vectors(texts):
    """The embeddings of texts, `(texts, channels)`, of length one."""
    import onnxruntime
    import tokenizers

    encoded = tokenizers.Tokenizer.from_file(str(PAIR / "tokenizer.json")).encode_batch(list(texts))
    session = onnxruntime.InferenceSession(str(PAIR / "text.onnx"), providers=["CPUExecutionProvider"])
    found = [session.run(None, {"ids": np.array([each.ids], np.int64)})[0][0] for each in encoded]
    return np.stack(found) / np.linalg.norm(found, axis=1, keepdims=True)


def scores(picture, texts=TEXTS):
    """The cosines of a picture, shrunk to the tower's size, with texts, by ONNX Runtime alone."""
    import onnxruntime

    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)
    session = onnxruntime.InferenceSession(str(PAIR / "image.onnx"), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"pictures": np.moveaxis(pixels / 127.5 - 1, -1, 0)[None]})
    return dict(zip(texts, (vectors(texts) @ (found[0] / np.linalg.norm(found))).tolist(), strict=True))


def best(picture):
    found = scores(picture)
    return max(found, key=found.__getitem__)


def test_the_record_of_a_pair_names_its_tower(pair, folder):
    record = json.loads((folder / converted.RECORD).read_text())
    assert record["text"]["layer"] == pair.text.layer == "embedding"
    assert record["text"]["inputs"] == {
        "ids": "ids",
        "type": "int64",
        "output": "embedding",
        "length": 12,
        "mask": "",
    }
    assert record["text"]["files"].keys() == {"tower.onnx", "tokenizer.json"}
    assert (record["head"], len(record["parity"]["runs"])) == ("", 3)
    assert str(PAIR.parent).encode() not in (folder / "text" / "tower.onnx").read_bytes()
    np.testing.assert_allclose(pair.text.embed("a red circle"), vectors(["a red circle"])[0], atol=1e-6)


@pytest.mark.parametrize("text", ["a red circle", "a blue star", "a yellow square", "a green triangle"])
def test_a_dream_from_noise_becomes_what_the_text_says(run, pair, text):
    noise = ("dream", *BOLD, "--size", SIDE, "--text", text)
    assert run(*noise, "--steps", "1", "--step-size", "0.0001", "-o", "a.png")[0] == 0
    assert run(*noise, "--steps", "60", "-o", "b.png")[0] == 0
    assert scores("b.png")[text] > scores("a.png")[text] + 0.2
    assert best("b.png") == text


@pytest.mark.parametrize("text", ["a red circle", "a blue star"])
def test_a_dream_of_a_photograph_becomes_what_the_text_says(run, pair, text):
    with Image.open(CAT) as image:
        image.convert("RGB").resize((SIDE, SIDE)).save("cat.png")
    assert run("dream", "cat.png", *BOLD, "--steps", "150", "--text", text, "-o", "a.png")[0] == 0
    assert scores("a.png")[text] > scores("cat.png")[text] + 0.3
    assert best("a.png") == text


def test_a_negative_weight_dreams_away_from_a_text(run, pair):
    text = "a red circle"
    assert run("dream", *BOLD, "--size", SIDE, "--steps", "60", "--text", text, "-o", "a.png")[0] == 0
    assert run("dream", "a.png", *BOLD, "--text", f"{text}=-1", "-o", "b.png")[0] == 0
    assert scores("b.png")[text] < scores("a.png")[text] - 0.3


def test_a_text_under_a_mask_leaves_the_rest_alone(run, pair, tmp_path):
    mask = np.zeros((128, 128), np.uint8)
    mask[:, :64] = 255
    Image.fromarray(mask).save("left.png")
    (tmp_path / "r.toml").write_text(
        'model = "pair"\noctaves = 1\nsteps = 5\n[[layers]]\ntext = "a red circle"\nmask = "left.png"\n'
    )
    before = np.full((128, 128, 3), 128, np.uint8)
    Image.fromarray(before).save("grey.png")
    assert run("dream", "grey.png", "-r", "r.toml", "-q", "-o", "a.png")[0] == 0
    with Image.open("a.png") as image:
        changed = (np.asarray(image) != before).any(-1)
    assert changed[:, :60].mean() > 0.5
    assert not changed[:, 64:].any()


def test_a_schedule_and_a_timeline_change_the_text(run, pair, tmp_path):
    one, other = ('layers = [{text = "a red circle"}]', 'layers = [{text = "a blue star"}]')
    (tmp_path / "r.toml").write_text(f'model = "pair"\n[[schedule]]\n{one}\n[[schedule]]\n{other}\n')
    assert (
        run("dream", "-r", "r.toml", "--octaves", "2", "--size", "96", "--steps", "2", "-q", "-o", "a.png")[0]
        == 0
    )
    (tmp_path / "t.toml").write_text(
        f'model = "pair"\nsteps = 2\noctaves = 1\n[[timeline]]\nat = 0.0\n{one}\n'
        f"[[timeline]]\nat = 1.0\n{other}\n"
    )
    frames = ("--frames", "3", "--preview", "3", "--zoom", "1.0", "-q")
    assert run("zoom", "a.png", "-r", "t.toml", *frames, "-o", "z.gif")[0] == 0
    assert len(list(video.read(tmp_path / "z.gif").frames())) == 3
    shown = run("recipes", "a.png")[1]
    assert "a red circle" in shown
    assert "a blue star" in shown


def test_a_dream_is_repeated_without_the_text_tower(run, pair):
    assert run("dream", "-m", "pair", *QUICK, "--text", "a red circle", "-o", "a.png")[0] == 0
    shutil.rmtree(converted.folder() / "pair" / "text")
    assert run("redo", "a.png", "-q", "-o", "b.png")[0] == 0
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_changed_text_tower_is_refused(run, pair):
    file = converted.folder() / "pair" / "text" / "tokenizer.json"
    file.write_text(file.read_text().replace("red", "rot"))
    code, _, err = run("dream", "-m", "pair", *QUICK, "--text", "a red circle")
    assert (code, len(err.splitlines())) == (1, 1)
    assert "text is damaged or was changed; convert the model again" in err


def test_a_text_that_is_too_long_is_refused(run, pair):
    code, _, err = run("dream", "-m", "pair", *QUICK, "--text", "a red circle " * 5)
    assert (code, len(err.splitlines())) == (1, 1)
    assert "has 17 tokens, and the text tower takes 12; shorten it" in err


def test_a_loaded_pair_understands_texts(pair):
    network = dreamkit.load("pair")
    found = dreamkit.dream(None, network, layers=[{"text": "a red circle"}], size=SIDE, octaves=1, steps=1)
    assert found.shape == (SIDE, SIDE, 3)
