"""Writes convnet.onnx, a small network exported by PyTorch. Needs torch, onnx and onnxscript.

python tests/data/torch/make.py
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import nn


class Block(nn.Module):
    """A residual block: two convolutions with batch norm, added to the input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=2, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + x)


class ConvNet(nn.Module):
    """A small residual network with a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 7, stride=2, padding=3), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.block1 = Block(8)
        self.down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.block2 = Block(16)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.block1(self.pool(self.stem(x)))
        return self.head(self.block2(nn.functional.silu(self.down(x))))


def strip_metadata(model: onnx.ModelProto) -> None:
    """Removes the exporter's notes, such as stack traces, which name folders of the machine."""
    graph = model.graph
    values = (*graph.input, *graph.output, *graph.value_info, *graph.initializer)
    for part in (model, graph, *graph.node, *values):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")


if __name__ == "__main__":
    torch.manual_seed(0)
    net = ConvNet()
    net(torch.randn(8, 3, 64, 64))  # gives batch norm its statistics
    net.eval()
    path = Path(__file__).with_name("convnet.onnx")
    torch.onnx.export(net, (torch.randn(1, 3, 96, 96),), path, dynamo=True, external_data=False)
    model = onnx.load(path)
    strip_metadata(model)
    onnx.save(model, path)
