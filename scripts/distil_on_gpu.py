"""Trains the pocket network on a GPU, with PyTorch: the same lesson, some thirty times as many crops.

    python scripts/distil_on_gpu.py --start pocket.npz --teacher teacher.npz --photographs FOLDER --minutes 8

It goes on from thin steps that `distil_pocket.py` began (--start), with the objectives and the dreams on the
way that are described there. Both networks are npz files of `dreamkit.models.architecture.write`, which hold
their operations as well as their arrays. One thing is added: half of what is learned of the gradient, and of
the dreams on the way, is of the gradient smoothed as dreams smooth it. Everything stays on the GPU: the
photographs, the crops, the teacher's answers, which are computed anew at every step. It needs torch, numpy
and Pillow, and neither TensorFlow nor dreamkit's dependencies.

--out gets `pocket.npz`, of the same form, and `trained.json` with what the training came to.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from distillation import lesson, samples
from dreamkit.models import architecture
from dreamkit.models.architecture import INPUT, Operation

Array = npt.NDArray[Any]

_REPORT = 20.0  # seconds between progress lines
_TESTS = 4  # batches of crops of photographs held out, for every layer


Objective = tuple[Tensor, Tensor]  # weights of the channels' squares and of themselves, `(count, channels)`


class Network(torch.nn.Module):  # type: ignore[misc]  # torch's types are not looked at
    """A network as data, run by PyTorch as TensorFlow runs it.

    Attributes:
        operations: in order.
    """

    def __init__(
        self, operations: Sequence[Operation], arrays: Mapping[str, Array], mean: float, scale: float
    ) -> None:
        """What it eats is `(pixels - mean) * scale`."""
        super().__init__()
        self.operations = list(operations)
        self._keys = {
            each.name: architecture.factors(each.name, arrays)
            for each in operations
            if each.kind == "convolution"
        }
        self._mean, self._scale = mean, scale
        self.arrays = torch.nn.ParameterDict(
            {
                key.replace("/", ":"): torch.nn.Parameter(
                    torch.from_numpy(np.ascontiguousarray(_to_torch(arrays[key])))
                )
                for key in sorted(arrays)
            }
        )
        self.to(memory_format=torch.channels_last)

    def numpy(self) -> dict[str, Array]:
        """The arrays as they came, `(height, width, in, out)`."""
        return {
            key.replace(":", "/"): np.ascontiguousarray(_from_torch(value.detach().float().cpu().numpy()))
            for key, value in self.arrays.items()
        }

    def forward(self, pixels: Tensor, layers: Sequence[str]) -> list[Tensor]:
        """Activations at `layers`, for pixels of 0 to 255, `(count, 3, height, width)`."""
        made = {INPUT: (pixels - self._mean) * self._scale}
        for each in architecture.cut(self.operations, layers):
            made[each.name] = self._run(each, [made[name] for name in each.inputs])
        return [made[layer] for layer in layers]

    def _run(self, operation: Operation, inputs: list[Tensor]) -> Tensor:
        x, options = inputs[0], operation.options
        match operation.kind:
            case "convolution":
                return self._convolution(x, operation.name, options["stride"], options["padding"])
            case "relu":
                return functional.relu(x)
            case "max_pool":
                padded = _padded(x, options["size"], options["stride"], options["padding"], -torch.inf)
                return functional.max_pool2d(padded, options["size"], options["stride"])
            case "average_pool":
                # TensorFlow's mean is over what lies in the picture.
                shares = torch.ones_like(x[:1, :1])
                summed, counted = (
                    functional.avg_pool2d(
                        _padded(values, options["size"], options["stride"], options["padding"]),
                        options["size"],
                        options["stride"],
                    )
                    for values in (x, shares)
                )
                return summed / counted
            case "response_normalisation":
                places = torch.arange(x.shape[1], device=x.device)
                band = ((places[:, None] - places).abs() <= options["radius"]).to(x.dtype)
                sums = functional.conv2d(x.square(), band[:, :, None, None])
                return x * (options["bias"] + options["alpha"] * sums) ** -options["beta"]
            case "concatenate":
                return torch.cat(inputs, 1)
        raise ValueError(f"{operation.name} is a {operation.kind}")

    def _convolution(self, x: Tensor, name: str, stride: int, padding: str) -> Tensor:
        kernels = [self.arrays[key.replace("/", ":")] for key in self._keys[name]]
        sizes = [kernel.shape[2] * kernel.shape[3] for kernel in kernels]
        strided = sizes.index(max(sizes))
        for index, kernel in enumerate(kernels):
            step = stride if index == strided else 1
            x = functional.conv2d(_padded(x, kernel.shape[2:], step, padding), kernel, stride=step)
        bias = f"{name}:bias"
        return x + self.arrays[bias][:, None, None] if bias in self.arrays else x


def _padded(x: Tensor, size: int | Sequence[int], stride: int, padding: str, value: float = 0.0) -> Tensor:
    """What TensorFlow pads: of an odd number of rows the larger part goes below."""
    if padding == "valid":
        return x
    sizes = (size, size) if isinstance(size, int) else size
    around = []
    for length, window in zip(reversed(x.shape[2:]), reversed(sizes), strict=True):
        missing = max((-(-length // stride) - 1) * stride + window - length, 0)
        around += [missing // 2, missing - missing // 2]
    return functional.pad(x, around, value=value) if any(around) else x


def _to_torch(array: Array) -> Array:
    array = array.astype(np.float32)
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def _from_torch(array: Array) -> Array:
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def gradients(
    network: Network, layers: Sequence[str], pixels: Tensor, objective: Objective, differentiable: bool
) -> tuple[Any, Any]:
    """The pixel gradient of the objective at the last of `layers`, of norm one, and all their activations."""
    squares, plain = objective
    pixels = pixels.detach().requires_grad_()
    activations = network(pixels, layers)
    last = activations[-1]
    value = (last.square().mean((2, 3)) * squares + last.mean((2, 3)) * plain).mean(1).sum()
    (gradient,) = torch.autograd.grad(value, pixels, create_graph=differentiable)
    if differentiable:
        return unit(gradient), activations
    return unit(gradient).detach(), [activation.detach() for activation in activations]


def unit(gradient: Tensor) -> Tensor:
    """Every picture's gradient, of norm one; one that is nothing stays nothing."""
    return gradient * torch.rsqrt(gradient.square().sum((1, 2, 3), keepdim=True) + 1e-24)


def smoothed(gradient: Tensor) -> Tensor:
    """A gradient after the three blurs of `dreamkit.engine.updates.smoothing.gaussian`, of norm one."""
    reach = torch.arange(-4, 5, device=gradient.device, dtype=torch.float32)
    taps = [torch.exp(-(reach**2) / (2 * (lesson.SMOOTH * width) ** 2)) for width in (0.5, 1.0, 2.0)]
    kernel = sum(torch.outer(t / t.sum(), t / t.sum()) for t in taps)
    planes = functional.pad(gradient, (4, 4, 4, 4), mode="reflect").flatten(0, 1)[:, None]
    return unit(functional.conv2d(planes, kernel[None, None])[:, 0].unflatten(0, gradient.shape[:2]))


@dataclass
class Crops:
    """Photographs on the device and what is drawn from them.

    Attributes:
        photographs: `(count, 3, height, width)`, uint8, each in the upper left with its edge repeated.
        sizes: `(count, 2)`, their heights and widths.
    """

    photographs: Tensor
    sizes: Tensor
    side: int
    random: torch.Generator

    @classmethod
    def of(cls, folder: Path, held_out: bool, side: int, seed: int, device: str) -> Crops:
        pictures = [*samples.photographs(folder, held_out).values()]
        most = [max(picture.shape[axis] for picture in pictures) for axis in (0, 1)]
        padded = np.stack(
            [
                np.pad(
                    picture,
                    [(0, whole - size) for whole, size in zip(most, picture.shape[:2], strict=True)]
                    + [(0, 0)],
                    mode="edge",
                )
                for picture in pictures
            ]
        )
        return cls(
            torch.from_numpy(padded.transpose(0, 3, 1, 2)).contiguous().to(device),
            torch.tensor([picture.shape[:2] for picture in pictures], device=device, dtype=torch.float32),
            side,
            torch.Generator(device).manual_seed(seed),
        )

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        drawn = torch.rand(shape, generator=self.random, device=self.photographs.device)
        return low + (high - low) * drawn

    def draw(self, count: int) -> Tensor:
        """Random crops of random photographs at random scales, mirrored or not."""
        which = (self.uniform(count) * len(self.sizes)).long()
        height, width = self.sizes[which].unbind(1)
        low, high = np.log(lesson.SCALES)
        scale = torch.maximum(
            self.uniform(count, low=low, high=high).exp(), self.side / torch.minimum(height, width)
        )
        shown = self.side / scale
        left, top = self.uniform(count) * (width - shown), self.uniform(count) * (height - shown)
        mirrored = self.uniform(count) < 0.5
        return self._cut(self.photographs[which].float(), left, top, shown, mirrored)

    def dreamed_on(self, pixels: Tensor, theirs: Tensor, own: Tensor) -> Tensor:
        """The crops a step later, by either's gradient, some enlarged; some replaced."""
        count = len(pixels)

        def share(part: float) -> Tensor:
            return (self.uniform(count) < part)[:, None, None, None]

        gradient = torch.where(share(0.5), own, theirs)
        gradient = torch.where(share(0.5), smoothed(gradient), gradient)
        low, high = lesson.LEVELS
        strength = self.uniform(count, low=low, high=high)[:, None, None, None]
        change = strength * gradient / gradient.abs().mean((1, 2, 3), keepdim=True).clamp(min=1e-12)
        dreamed = (pixels + change).clamp(0, 255)
        shown = torch.full((count,), self.side / lesson.OCTAVE_SCALE, device=pixels.device)
        left, top = self.uniform(2, count) * (self.side - shown)
        larger = self._cut(dreamed, left, top, shown, torch.zeros_like(shown, dtype=torch.bool))
        return torch.where(
            share(lesson.AFRESH), self.draw(count), torch.where(share(lesson.ZOOM), larger, dreamed)
        )

    def _cut(self, pictures: Tensor, left: Tensor, top: Tensor, shown: Tensor, mirrored: Tensor) -> Tensor:
        """Squares of `shown` pixels, resized to the side; means of four points, as a reduced one aliases."""
        height, width = pictures.shape[2:]
        fine = (torch.arange(2 * self.side, device=pictures.device) + 0.5) / (2 * self.side)
        across = torch.where(mirrored[:, None], 1 - fine, fine)
        x = (left[:, None] + shown[:, None] * across) * 2 / width - 1
        y = (top[:, None] + shown[:, None] * fine) * 2 / height - 1
        grid = torch.stack(
            [x[:, None].expand(-1, 2 * self.side, -1), y[:, :, None].expand(-1, -1, 2 * self.side)], -1
        )
        cut = functional.grid_sample(
            pictures, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        return functional.avg_pool2d(cut, 2).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Lesson:
    """What is drawn for a batch, and who is taught.

    Attributes:
        channels: of each layer that is taught, from the picture inwards.
        default: the layer that is dreamed by default.
        head: the layer of class scores, which may be none of them.
    """

    teacher: Network
    student: Network
    channels: Mapping[str, int]
    default: str
    head: str

    def layer(self, random: np.random.Generator) -> str:
        return samples.drawn_layer(list(self.channels), self.default, random)

    def objective(self, layer: str, count: int, device: Any, random: np.random.Generator) -> Objective:
        drawn = [samples.objective(self.channels[layer], layer == self.head, random) for _ in range(count)]
        squares, plain = (torch.from_numpy(np.stack(each)).to(device) for each in zip(*drawn, strict=True))
        return squares, plain

    def as_far_as(self, layer: str) -> list[str]:
        names = list(self.channels)
        return names[: names.index(layer) + 1]

    def errors(
        self, layer: str, pixels: Tensor, objective: Objective
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Both networks' unit gradients, their cosines, plain and smoothed, and every layer's error."""
        layers = self.as_far_as(layer)
        theirs, features = gradients(self.teacher, layers, pixels, objective, differentiable=False)
        own, activations = gradients(self.student, layers, pixels, objective, differentiable=True)
        missed = [
            (activation - feature).square().sum() / feature.square().sum()
            for activation, feature in zip(activations, features, strict=True)
        ]
        pairs = (own, theirs), (smoothed(own), smoothed(theirs))
        return theirs, own, torch.stack([(a * b).sum((1, 2, 3)) for a, b in pairs]), torch.stack(missed)


def held_out(taught: Lesson, crops: Crops, batch: int) -> dict[str, list[float]]:
    """Cosine, that of smoothed gradients, and error at every layer, over crops of photographs never trained
    on, half of them dreamed."""
    crops.random.manual_seed(1)
    random = np.random.default_rng(1)
    found = {}
    for layer in taught.channels:
        rows = []
        pixels = crops.draw(batch)
        for turn in range(_TESTS):
            objective = taught.objective(layer, batch, pixels.device, random)
            theirs, _, cosines, missed = taught.errors(layer, pixels, objective)
            rows.append([*cosines.detach().mean(1).tolist(), float(missed[-1].detach())])
            pixels = crops.draw(batch) if turn % 2 else crops.dreamed_on(pixels, theirs, theirs)
        found[layer] = [float(mean) for mean in np.mean(rows, 0)]
    return found


def train(options: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    operations, whole = architecture.read(options.teacher)
    wanted = {options.default, options.head, *(options.layer or architecture.joins(operations))}
    names = [each.name for each in operations if each.name in wanted]
    taught = architecture.cut(operations, names)
    teacher = (
        Network(taught, _of(taught, whole), options.mean, options.scale).to(device).requires_grad_(False)
    )
    thin, start = architecture.read(options.start)
    student = Network(thin, _of(thin, start), options.mean, options.scale).to(device)
    crops = Crops.of(options.photographs, False, options.side, options.seed, device)
    unseen = Crops.of(options.photographs, True, options.side, 1, device)
    random = np.random.default_rng(options.seed)
    parameters = list(student.parameters())
    optimizer = torch.optim.Adam(
        parameters, options.learning_rate, betas=(0.9, 0.99), eps=1e-7, fused=device == "cuda"
    )
    pool = torch.cat([crops.draw(options.batch) for _ in range(max(options.pool // options.batch, 1))])
    with torch.no_grad():
        shapes = [each.shape[1] for each in teacher(pool[:1], names)]
    plan = Lesson(teacher, student, dict(zip(names, shapes, strict=True)), options.default, options.head)
    print(f"{len(crops.sizes)} photographs, {len(unseen.sizes)} held out, {device}", flush=True)
    print("before   ", described(held_out(plan, unseen, options.batch)), flush=True)
    began = reported = time.monotonic()
    steps, recent = 0, torch.zeros((), device=device)
    while (done := (time.monotonic() - began) / (60 * options.minutes)) < 1:
        first = steps * options.batch % len(pool)
        pixels = pool[first : first + options.batch].contiguous(memory_format=torch.channels_last)
        layer = plan.layer(random)
        objective = plan.objective(layer, len(pixels), device, random)
        theirs, own, cosines, missed = plan.errors(layer, pixels, objective)
        optimizer.zero_grad(set_to_none=True)
        (2 * (1 - cosines).mean() + lesson.FEATURES * missed.mean()).backward()
        for parameter in parameters:  # what lies behind this layer stays as it is
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        torch.nn.utils.clip_grad_norm_(parameters, lesson.CLIP)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1, (steps + 1) / lesson.WARM_UP) * (1 - done)
        optimizer.step()
        pool[first : first + options.batch] = crops.dreamed_on(pixels, theirs, own.detach())
        recent = recent + 0.01 * (cosines.detach().mean() - recent)
        steps += 1
        if steps % 50 == 0 and time.monotonic() - reported > _REPORT:
            reported = time.monotonic()
            minutes = (reported - began) / 60
            measured = described(held_out(plan, unseen, options.batch))
            print(
                f"{minutes:6.2f} min {steps * options.batch:8d} crops  train {recent:.3f}  {measured}",
                flush=True,
            )
            save(options, student)
    seconds = round(time.monotonic() - began)
    found = held_out(plan, unseen, options.batch)
    print("after    ", described(found), flush=True)
    save(options, student)
    facts = {
        "crops": steps * options.batch,
        "side": options.side,
        "seconds": seconds,
        "machine": torch.cuda.get_device_name() if device == "cuda" else "a processor",
        "seed": options.seed,
        "measured": found,
    }
    (options.out / "trained.json").write_text(json.dumps(facts, indent=1) + "\n")


def _of(operations: Sequence[Operation], arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays of these operations alone."""
    names = {each.name for each in operations}
    return {key: array for key, array in arrays.items() if key.partition("/")[0] in names}


def described(measured: Mapping[str, Sequence[float]]) -> str:
    """One line of figures, layer by layer: cosine, smoothed cosine, error."""
    return "  ".join(f"{layer} " + " ".join(f"{each:.3f}" for each in of) for layer, of in measured.items())


def save(options: argparse.Namespace, student: Network) -> None:
    """Writes the student, what lies behind the layer dreamed by default in 8 bits."""
    options.out.mkdir(parents=True, exist_ok=True)
    near = {each.name for each in architecture.cut(student.operations, [options.default])}
    coarse = [each.name for each in student.operations if each.name not in near]
    architecture.write(options.out / "pocket.npz", student.operations, student.numpy(), coarse)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--start", type=Path, required=True, help="thin steps to go on from")
    parser.add_argument("--teacher", type=Path, required=True, help="an npz of the whole network")
    parser.add_argument("--photographs", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--out", type=Path, default=Path("build/pocket"))
    parser.add_argument("--default", default="mixed4c", help="the layer that is dreamed by default")
    parser.add_argument("--head", default="softmax2_pre_activation", help="the layer of class scores")
    parser.add_argument("--layer", action="append", help="taught besides; default: every join")
    parser.add_argument("--mean", type=float, default=117.0, help="taken from the pixels")
    parser.add_argument("--scale", type=float, default=1.0, help="what they are multiplied by then")
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--side", type=int, default=144, help="of a crop, in pixels")
    parser.add_argument("--batch", type=int, default=128, help="crops in a step")
    parser.add_argument("--pool", type=int, default=4096, help="crops on the way")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
