"""`dreamkit convert torch` through the real program: what it keeps, and each error as one line."""

from __future__ import annotations

import json
from importlib.metadata import distribution

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

RANDOM = ("--weights", "random", "--size", "64")
FACTORIES = """
import torch
from torch import nn
import neighbour


def small():
    blocks = nn.Sequential(neighbour.Block(), neighbour.Block())
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), blocks)


def number():
    return 7


def raises():
    raise ValueError("no such thing")


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(10, 4)

    def forward(self, x):
        return self.words(x)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        return self.conv(x) if x.sum() > 0 else x


class Nothing(nn.Module):
    def forward(self, x):
        return "a picture"
"""
NEIGHBOUR = """
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.conv(x) + x)
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(FACTORIES)
    (tmp_path / "neighbour.py").write_text(NEIGHBOUR)


def record(tmp_path, name):
    return json.loads((tmp_path / "DREAMKIT_HOME" / "models" / name / "model.json").read_text())


def refused(run, message):
    """One line, without a traceback, after what is being done."""
    assert run.returncode in (1, 2)
    *before, last = run.stderr.splitlines()
    assert message in last
    assert last.startswith("error: ")
    assert not [line for line in before if line.startswith(("error", "Traceback"))]
    assert run.stdout == ""


def test_the_plugin_is_installed_and_listed(dreamkit):
    assert distribution("deepdreamkit-torch").version
    (plugin,) = [
        each
        for each in json.loads(dreamkit("plugins", "--json").stdout)
        if each["distribution"] == "deepdreamkit-torch"
    ]
    assert (plugin["converters"], plugin["failure"]) == (["torch"], "")
    assert "Convert a PyTorch network" in dreamkit("convert", "--help").stdout
    assert "--weights" in dreamkit("convert", "torch", "--help").stdout


def test_two_commands_lead_to_a_dream(dreamkit, tmp_path):
    run = dreamkit("convert", "torch", "timm:resnet18", *RANDOM, "--name", "r18")
    assert run.returncode == 0, run.stderr
    assert "building timm:resnet18 with random weights, seed 0" in run.stderr
    assert "largest difference between PyTorch" in run.stdout
    assert "the head is fc, 1000 classes" in run.stdout
    found = record(tmp_path, "r18")
    assert {"layer3.0", "layer3.1", "layer3.1.bn1", "layer4.0.downsample"} <= set(found["blobs"])
    assert found["preprocess"]["mean"] == pytest.approx([123.675, 116.28, 103.53])
    assert found["labels"] == []  # nothing was learned
    run = dreamkit("dream", "--size", "64", "--model", "r18", "--layers", "layer3.0", "--steps", "1")
    assert run.returncode == 0, run.stderr
    with Image.open(tmp_path / "dream.png") as image:
        assert image.size == (64, 64)


def test_a_transformer_is_built_for_the_size_and_kept_whole(dreamkit, tmp_path):
    run = dreamkit(
        *("convert", "torch", "timm:vit_tiny_patch16_224", "--weights", "random", "--size", "48x64"),
        *("--name", "vit"),
    )
    assert run.returncode == 0, run.stderr
    assert "in windows of 64 x 48; the head is head, 1000 classes" in run.stdout
    found = record(tmp_path, "vit")
    assert {"patch_embed.proj", "blocks.0.add", "blocks.11.mlp.act", "blocks.11", "norm"} <= set(
        found["blobs"]
    )
    run = dreamkit("dream", "--size", "80", "--model", "vit", "--layers", "blocks.5", "--steps", "1")
    assert run.returncode == 0, run.stderr
    with Image.open(tmp_path / "dream.png") as image:
        assert image.size == (80, 80)


def test_a_function_of_ones_own_with_its_weights(dreamkit, tmp_path, mine, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    module = __import__("mine").small()
    torch.save(
        {"state_dict": {f"module.{key}": each for key, each in module.state_dict().items()}},
        tmp_path / "mine.pt",
    )
    options = ("--name", "mine", "--weights", "mine.pt", "--size", "64x48", "--description", "Mine.")
    run = dreamkit("convert", "torch", "mine.py:small", *options)
    assert run.returncode == 0, run.stderr
    assert "warning: no --mean and --scale given, so the default for PyTorch is used" in run.stderr
    found = record(tmp_path, "mine")
    assert list(found["blobs"]) == ["0", "1", "2.0.conv", "2.0.add", "2.0", "2.1.conv", "2.1.add", "2.1"]
    assert (found["size"], found["description"]) == ([64, 48], "Mine.")
    refused(dreamkit("convert", "torch", "mine.py:small", *options), "there is a converted model 'mine'")
    run = dreamkit(
        *("convert", "torch", "mine.py:small", "--name", "mine", "--overwrite", "--quiet", "--size", "64"),
        *("--mean", "1,2,3", "--scale", "0.5", "--order", "bgr", "--layers", "2.0"),
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    found = record(tmp_path, "mine")
    assert found["preprocess"] == {"order": "BGR", "mean": [1, 2, 3], "scale": [0.5] * 3}
    assert found["layers"] == {"2.0": 1.0}


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("timm:resnet81", "timm has no model 'resnet81'; did you mean resnet"),
        ("timm:resnet18.a9_in1k", "timm has no weights 'resnet18.a9_in1k'; did you mean resnet18.a"),
        ("torchvision:resnet81", "torchvision has no model 'resnet81'; did you mean resnet"),
        (
            "torchvision:resnet18.V9",
            "torchvision has no weights 'V9' for resnet18; choose from IMAGENET1K_V1",
        ),
        ("hf:resnet18", "hf:resnet18 is not a repository of the Hugging Face hub; give hf:OWNER/REPO"),
        ("hf:a/b/c", "hf:a/b/c is not a repository"),
        ("timm:", "timm: names no model"),
        (
            "resnet18",
            "'resnet18' names no model; give timm:NAME, torchvision:NAME, hf:OWNER/REPO, clip:OWNER/REPO, "
            "clip:FOLDER or FILE.py",
        ),
        ("none.py:small", "none.py does not exist"),
        ("mine.py", "mine.py names no function; give FILE.py:FUNCTION"),
        ("mine.py:smal", "mine.py has no function 'smal'; did you mean small"),
        ("mine.py:number", "mine.py:number returns int, not a torch.nn.Module"),
        ("mine.py:raises", "mine.py:raises raises ValueError: no such thing (line 17)"),
        ("mine.py:Words", "mine.py:Words does not take a picture of 1 x 3 x 224 x 224"),
        ("mine.py:Nothing", "mine.py:Nothing returns no numbers"),
        ("mine.py:Branches", "PyTorch cannot export mine.py:Branches to ONNX"),
    ],
)
def test_what_names_no_model(source, message, dreamkit, mine):
    refused(dreamkit("convert", "torch", source, "--name", "x"), message)


def test_code_that_cannot_be_imported(dreamkit, tmp_path):
    (tmp_path / "mine.py").write_text("import torch\nfrom nowhere import small\n")
    refused(
        dreamkit("convert", "torch", "mine.py:small", "--name", "x"),
        "mine.py raises ModuleNotFoundError: No module named 'nowhere' (line 2)",
    )


@pytest.mark.parametrize(
    "source", ["timm:resnet18.a1_in1k", "torchvision:resnet18", "hf:timm/resnet18.a1_in1k"]
)
def test_without_a_network_the_line_says_what_to_do(source, dreamkit):
    run = dreamkit("convert", "torch", source, "--name", "x")
    refused(run, f"cannot fetch the weights of {source} (")
    assert "--weights FILE, or --weights random" in run.stderr
    assert f"fetching the weights of {source}, unless they are in its cache" in run.stderr


class Code:
    """What a pickle runs."""

    def __reduce__(self):
        return print, ("code of a weights file ran",)


def test_weights_that_do_not_fit(dreamkit, tmp_path, mine):
    def convert(weights, source="mine.py:small"):
        return dreamkit("convert", "torch", source, "--name", "x", "--weights", weights)

    refused(convert("none.pt"), "weights file none.pt does not exist")
    torch.save({"0.weight": torch.zeros(8, 3, 3, 3), "code": Code()}, tmp_path / "code.pt")
    run = convert("code.pt")
    refused(run, "code.pt holds more than weights, or is damaged; dreamkit runs no code of a weights file")
    assert "ran" not in run.stderr
    (tmp_path / "damaged.safetensors").write_bytes(b"damaged")
    refused(convert("damaged.safetensors"), "damaged.safetensors cannot be read as a state dict")
    torch.save([1, 2], tmp_path / "list.pt")
    refused(convert("list.pt"), "list.pt holds no state dict")
    save_file({"0.weight": torch.zeros(8, 3, 5, 5), "extra": torch.zeros(1)}, tmp_path / "other.safetensors")
    refused(
        convert("other.safetensors"),
        "other.safetensors does not fit mine.py:small; of its 6 keys, 5 missing (0.bias, 2.0.conv.weight, "
        "2.0.conv.bias, ...); 1 unexpected (extra); 1 of another shape (0.weight: 8 x 3 x 5 x 5 in place of "
        "8 x 3 x 3 x 3)",
    )


@pytest.mark.parametrize("size", ["0", "64x", "64x64x64", "x", "-1", "2000", "٣٢"])
def test_sizes_that_are_none(size, dreamkit):
    run = dreamkit("convert", "torch", "timm:resnet18", "--name", "x", f"--size={size}")
    refused(run, f"--size is {size!r}")


def test_wrong_options_are_refused_before_the_model_is_built(dreamkit):
    run = dreamkit("convert", "torch", "timm:resnet18", "--name", "x", "--mean", "1,2")
    refused(run, "the mean has 2 channels")
    assert len(run.stderr.splitlines()) == 1
