"""A loop of the kind that PyTorch's dreamers use, after gordicaleksa/pytorch-deepdream's published formulae.

Roll, forward, backward, normalise, add, clamp, roll back; the octaves resize the picture. Its mean of squares
and its blurs are left out, as the job has them not. It runs on a GPU where PyTorch sees one. Variants, joined
by "+":

nchw: PyTorch's default layout, and batch normalisation as a layer of its own.
channels-last: the layout that its kernels like better; batch normalisation is folded into convolutions, and
    response normalisation sums by one.
half: convolutions in 16 bits, by autocast.
compiled: by torch.compile.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import nn

from loops import inception_v3 as plan
from loops.job import Clock, Job, given, write_gradient
from loops.operations_network import OperationsNetwork

EPSILON = 1e-3  # of batch normalisation, as Keras has it
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
HALF = {"cuda": torch.float16, "cpu": torch.bfloat16}[DEVICE.type]


class Numbers:
    """The weights, dealt out in the order of Keras' numbering."""

    def __init__(self, path: str) -> None:
        self._arrays, self._next = np.load(path), 0

    def deal(self) -> dict[str, torch.Tensor]:
        keys = ("kernel", "beta", "mean", "variance")
        dealt = {key: torch.from_numpy(self._arrays[f"{self._next}/{key}"]) for key in keys}
        self._next += 1
        return dealt


def convolution(conv: plan.Conv, numbers: dict[str, torch.Tensor], *, folded: bool) -> nn.Module:
    """Convolution, batch normalisation and ReLU."""
    kernel = numbers["kernel"].permute(3, 2, 0, 1)  # Keras': height, width, in, out
    padding = (conv.height // 2, conv.width // 2) if conv.same else 0
    made = nn.Conv2d(
        kernel.shape[1], conv.filters, (conv.height, conv.width), conv.stride, padding, bias=folded
    )
    if folded:
        factor = torch.rsqrt(numbers["variance"] + EPSILON)
        made.weight.data = (kernel * factor[:, None, None, None]).contiguous()
        made.bias.data = numbers["beta"] - numbers["mean"] * factor
        return nn.Sequential(made, nn.ReLU(inplace=True))
    made.weight.data = kernel.contiguous()
    norm = nn.BatchNorm2d(conv.filters, eps=EPSILON)
    norm.bias.data, norm.running_mean, norm.running_var = (
        numbers[key] for key in ("beta", "mean", "variance")
    )
    return nn.Sequential(made, norm, nn.ReLU(inplace=True))


def pooling(pool: plan.Pool) -> nn.Module:
    if pool.kind == "max":
        return nn.MaxPool2d(3, pool.stride)
    return nn.AvgPool2d(3, pool.stride, padding=1, count_include_pad=False)


class InceptionV3(nn.Module):
    """From pixels in units, NCHW, to the activations of `layers`."""

    def __init__(self, path: str, layers: tuple[str, ...], *, folded: bool) -> None:
        super().__init__()
        numbers, self.layers = Numbers(path), layers

        def chain(branch: plan.Branch) -> nn.Sequential:
            return nn.Sequential(
                *(
                    convolution(each, numbers.deal(), folded=folded)
                    if isinstance(each, plan.Conv)
                    else pooling(each)
                    for each in branch
                )
            )

        self.stem = chain(plan.STEM)
        self.mixed = nn.ModuleDict(
            {name: nn.ModuleList(map(chain, branches)) for name, branches in plan.to(layers).items()}
        )
        self.eval().requires_grad_(False)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        here, seen = self.stem(pixels), {}
        for name, branches in self.mixed.items():
            here = seen[name] = torch.cat([branch(here) for branch in branches], 1)
        return [seen[name] for name in self.layers]


def gradient_of(network: nn.Module, pixels: torch.Tensor, job: Job) -> torch.Tensor:
    """The gradient of the summed objectives, over its standard deviation."""
    pixels = pixels.detach().requires_grad_(True)
    with _precision_of(job):
        layers = network(pixels)
    squared = job.objective == "mean-square"
    torch.stack([(layer.square() if squared else layer).float().mean() for layer in layers]).sum().backward()
    gradient = pixels.grad
    return gradient / (gradient.std(correction=0) + 1e-8)


def _precision_of(job: Job) -> AbstractContextManager[None]:
    return torch.autocast(DEVICE.type, HALF, enabled="half" in job.variants)


def layout_of(job: Job) -> torch.memory_format:
    """The layout of a job's variant."""
    return torch.channels_last if "channels-last" in job.variants else torch.contiguous_format


def dream(network: nn.Module, job: Job, clock: Clock) -> None:
    """Dreams, or writes the gradient. `network` takes pixels in units and returns activations."""
    layout = layout_of(job)
    random = np.random.default_rng(0)

    def pixels_of(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(DEVICE).permute(2, 0, 1)[None].contiguous(memory_format=layout)

    def picture_of(pixels: torch.Tensor) -> np.ndarray:
        return pixels[0].permute(1, 2, 0).cpu().numpy()

    network = network.to(DEVICE, memory_format=layout)
    if "compiled" in job.variants:
        network = torch.compile(network)
    pixels = pixels_of(job.pixels)
    if job.gradient:
        write_gradient(job.gradient, picture_of(gradient_of(network, pixels, job)))
        return
    clock.begin()
    for side in job.sizes:
        if pixels.shape[2] != side:
            pixels = F.interpolate(pixels, (side, side), mode="bilinear", align_corners=False)
        for _ in range(job.steps):
            shift = tuple(random.integers(-job.jitter, job.jitter + 1, 2).tolist())
            rolled = torch.roll(pixels, shift, (2, 3)).contiguous(memory_format=layout)
            rolled = (rolled + job.step_size * gradient_of(network, rolled, job)).clamp_(-1, 1)
            pixels = torch.roll(rolled, (-shift[0], -shift[1]), (2, 3))
            if DEVICE.type == "cuda":
                torch.cuda.synchronize()
            clock.step()
    card_mb = torch.cuda.max_memory_allocated() / 2**20 if DEVICE.type == "cuda" else None
    clock.report((picture_of(pixels) + 1) * 127.5, f"PyTorch {torch.__version__}", card_mb=card_mb)


def network_of(job: Job) -> nn.Module:
    """The network of a job."""
    folded = "channels-last" in job.variants
    if job.model == "inception_v3":
        return InceptionV3(job.weights, job.layers, folded=folded)
    return OperationsNetwork(job.weights, job.layers, folded=folded)


def main() -> None:
    clock, job = Clock(), given()
    clock.imported()
    dream(network_of(job), job, clock)


if __name__ == "__main__":
    main()
