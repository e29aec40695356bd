"""The loop of `loops.pytorch` with networks of torchvision, whose weights are random but always the same.

    python -m loops.torchvision_networks MODEL FILE.onnx

writes the network for dreamkit instead.
"""

from __future__ import annotations

import sys

import torch
import torchvision
from torch import nn
from torchvision.models.feature_extraction import create_feature_extractor

from loops.job import Clock, given
from loops.pytorch import dream

SIDE = 224  # of the pictures for which networks are exported
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's pixels, 0 to 1


def build(model: str) -> nn.Module:
    """A network of torchvision."""
    torch.manual_seed(0)
    return torchvision.models.get_model(model, weights=None).eval().requires_grad_(False)


class Layers(nn.Module):
    """From pixels in units, NCHW, to the activations of `layers`. What lies behind them is not computed."""

    def __init__(self, model: str, layers: tuple[str, ...]) -> None:
        super().__init__()
        self.layers = layers
        self.network = create_feature_extractor(build(model), {name: name for name in layers})
        mean, deviation = (torch.tensor(each).reshape(1, 3, 1, 1) for each in (MEAN, DEVIATION))
        self.register_buffer("scale", 0.5 / deviation)
        self.register_buffer("offset", (0.5 - mean) / deviation)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        found = self.network(pixels * self.scale + self.offset)
        return [found[name] for name in self.layers]


def main() -> None:
    if len(sys.argv) == 3:
        model, file = sys.argv[1:]
        torch.onnx.export(build(model), torch.zeros(1, 3, SIDE, SIDE), file, dynamo=False)
        return
    clock, job = Clock(), given()
    clock.imported()
    dream(Layers(job.model, job.layers), job, clock)


if __name__ == "__main__":
    main()
