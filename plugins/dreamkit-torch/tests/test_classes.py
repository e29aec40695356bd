"""Networks of PyTorch that were converted: `--class` raises the score of its class in PyTorch itself."""

from __future__ import annotations

import numpy as np
import pytest
import timm
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

CLASSES, SIDE = 10, 96
MEAN, STD = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))

# Gradient ascent and nothing else: what dreams add for the eye works against networks of random weights.
PLAIN = ("--octaves", "1", "--steps", "8", "--jitter", "0", "--smooth", "none", "--color", "free")
NETWORKS = [
    "timm:resnet18",
    "torchvision:mobilenet_v3_small",
    "torchvision:regnet_y_400mf",
    "torchvision:shufflenet_v2_x0_5",
    "torchvision:squeezenet1_1",
]


def seeded(source):
    """A network with random weights that answers smoothly, and differently for each class."""
    torch.manual_seed(1)
    library, _, name = source.partition(":")
    create = timm.create_model if library == "timm" else torchvision.models.get_model
    module = create(name, num_classes=CLASSES).train()
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(each.weight)  # timm begins with branches that compute zeros
        elif isinstance(each, torch.nn.Dropout):
            each.p = 0.0
    *_, head = (each for each in module.modules() if isinstance(each, torch.nn.Linear | torch.nn.Conv2d))
    with torch.no_grad():
        head.weight -= head.weight.mean(0, keepdim=True)  # so that one score does not raise them all
        if isinstance(head, torch.nn.Conv2d):
            head.bias.fill_(1.0)  # SqueezeNet cuts scores off at zero
        for _ in range(
            24
        ):  # on the way to the statistics of batch norm: with all of them it would be chaotic
            module(torch.randn(8, 3, SIDE, SIDE))
    return module.eval()


def scores(module, picture):
    """What PyTorch says of a picture, class by class."""
    pixels = (np.asarray(picture, np.float64) / 255 - MEAN) / STD
    with torch.no_grad():
        return module(torch.tensor(pixels.transpose(2, 0, 1)[None], dtype=torch.float32))[0].numpy()


@pytest.mark.parametrize("source", NETWORKS)
def test_the_class_that_is_dreamed_rises_most_in_pytorch(source, dreamkit, tmp_path):
    module = seeded(source)
    save_file(module.state_dict(), tmp_path / "net.safetensors")
    pixels = np.random.default_rng(0).normal(128, 40, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
    before = Image.fromarray(pixels)
    before.save(tmp_path / "photo.png")
    run = dreamkit(
        "convert", "torch", source, "--weights", "net.safetensors", "--size", SIDE, "--name", "net"
    )
    assert run.returncode == 0, run.stderr
    assert f"{CLASSES} classes" in run.stdout
    for number in (2, 7):
        run = dreamkit(
            *("dream", "photo.png", "--model", "net", "--class", number, "--output", f"{number}.png"),
            *PLAIN,
        )
        assert run.returncode == 0, run.stderr
        with Image.open(tmp_path / f"{number}.png") as after:
            rise = scores(module, after.convert("RGB")) - scores(module, before)
        assert np.argmax(rise) == number, rise
        assert rise[number] > 0
