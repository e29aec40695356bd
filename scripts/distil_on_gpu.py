"""Trains the pocket network on a GPU, with PyTorch: the same lesson, some thirty times as many crops.

    python scripts/distil_on_gpu.py --start pocket.npz --teacher teacher.npz --photographs FOLDER --minutes 8

It goes on from thin steps that `distil_pocket.py` began (--start, arrays of `dreamkit.models.pocket`), with
the objectives and the dreams on the way that are described there; the teacher is an npz of Inception v3's
convolutions with batch norm folded in. One thing is added: half of what is learned of the gradient, and of
the dreams on the way, is of the gradient smoothed as dreams smooth it. Everything stays on the GPU: the
photographs, the crops, the teacher's answers, which are asked anew at every step. It needs torch, numpy and
Pillow, and neither TensorFlow nor dreamkit's dependencies.

--out gets `pocket.npz` and `trained.json`, of which `distil_pocket.py --trained` makes the model card.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from distillation import lesson, samples

Array = npt.NDArray[Any]

_REPORT = 20.0  # seconds between progress lines
_TESTS = 4  # batches of crops of photographs held out
_CONVOLUTIONS = 40  # of the plan
LAYERS = ("mixed0", "mixed1", "mixed2", "mixed3", "mixed4")


class Plan(torch.nn.Module):  # type: ignore[misc]  # torch's types are not looked at
    """Inception v3 to `mixed4` from the arrays that `dreamkit.models.pocket.network` takes."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        super().__init__()
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

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Activations at the five layers, for pixels of 0 to 255, `(count, 3, height, width)`."""
        conv, pool = self._conv, self._pool
        x = pixels / 127.5 - 1
        x = conv(conv(x, 0, 2, "valid"), 1, 1, "valid")
        x = pool(conv(x, 2))
        x = pool(conv(conv(x, 3, 1, "valid"), 4, 1, "valid"))
        found = []
        for block, n in ("mixed0", 5), ("mixed1", 12), ("mixed2", 19):
            x = self._shared(x, block)
            five = conv(conv(x, n + 1), n + 2)
            three = conv(conv(conv(x, n + 3), n + 4), n + 5)
            x = torch.cat([conv(x, n), five, three, self._averaged(x, n + 6)], 1)
            found.append(x)
        double = conv(conv(conv(x, 27), 28), 29, 2, "valid")
        x = torch.cat([conv(x, 26, 2, "valid"), double, pool(x)], 1)
        found.append(x)
        x = self._shared(x, "mixed4")
        seven = conv(conv(conv(x, 31), 32), 33)
        double = conv(x, 34)
        for n in 35, 36, 37, 38:
            double = conv(double, n)
        found.append(torch.cat([conv(x, 30), seven, double, self._averaged(x, 39)], 1))
        return found

    def _linear(
        self, x: Tensor, key: str, bias: str | None, stride: int = 1, padding: str = "same"
    ) -> Tensor:
        kernel = self.arrays[key]
        around = [side // 2 if padding == "same" else 0 for side in kernel.shape[2:]]
        return functional.conv2d(x, kernel, self.arrays[bias] if bias else None, stride, around)

    def _steps(self, x: Tensor, number: int, stride: int = 1, padding: str = "same") -> Tensor:
        name = f"conv2d_{number}" if number else "conv2d"
        if f"{name}:kernel" in self.arrays:
            return self._linear(x, f"{name}:kernel", f"{name}:bias", stride, padding)
        if f"{name}:down" in self.arrays:
            x = self._linear(x, f"{name}:down", None)
        if f"{name}:core" in self.arrays:
            x = self._linear(x, f"{name}:core", None, stride, padding)
        return self._linear(x, f"{name}:up", f"{name}:bias")

    def _conv(self, x: Tensor, number: int, stride: int = 1, padding: str = "same") -> Tensor:
        return functional.relu(self._steps(x, number, stride, padding))

    def _pool(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(x, 3, 2)

    def _averaged(self, x: Tensor, number: int) -> Tensor:
        x = self._steps(x, number)
        return functional.relu(functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))

    def _shared(self, x: Tensor, block: str) -> Tensor:
        return self._linear(x, f"{block}:down", None) if f"{block}:down" in self.arrays else x


def _number(key: str) -> int:
    return int(key.split("/")[0].partition("_")[2] or 0)


def _to_torch(array: Array) -> Array:
    array = array.astype(np.float32)
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array


def _from_torch(array: Array) -> Array:
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def gradients(network: Plan, pixels: Tensor, weights: list[Tensor], differentiable: bool) -> tuple[Any, Any]:
    """The pixel gradient of the objective, of norm one, and the activations."""
    pixels = pixels.detach().requires_grad_()
    activations = network(pixels)
    value = torch.zeros((), device=pixels.device)
    for activation, weight in zip(activations, weights, strict=True):
        value = value + (activation.square().mean((2, 3)) * weight).mean(1).sum()
    (gradient,) = torch.autograd.grad(value, pixels, create_graph=differentiable)
    if differentiable:
        return unit(gradient), activations
    return unit(gradient).detach(), [activation.detach() for activation in activations]


def unit(gradient: Tensor) -> Tensor:
    """Every picture's gradient, of norm one; one that is nothing stays nothing."""
    return gradient * torch.rsqrt(gradient.square().sum((1, 2, 3), keepdim=True) + 1e-24)


def smoothed(gradient: Tensor) -> Tensor:
    """A gradient after the three blurs of `dreamkit.engine.smoothing.gaussian`, of norm one."""
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

    def objectives(self, count: int, channels: tuple[int, ...]) -> list[Tensor]:
        """Weights of every channel of every layer: one layer, all of its channels or a few."""
        chosen = torch.searchsorted(
            torch.tensor(np.cumsum(lesson.LAYERS), device=self.sizes.device, dtype=torch.float32),
            self.uniform(count) * 0.999999,
        )
        few = self.uniform(count) < lesson.SOME_CHANNELS
        drawn = self.uniform(count)
        found = []
        for layer, total in enumerate(channels):
            kept = torch.where(few, ((drawn * np.log(total / 8)).exp().floor() + 1), float(total))[:, None]
            places = self.uniform(count, total).argsort(1).argsort(1)
            found.append(torch.where((places < kept) & (chosen == layer)[:, None], total / kept, 0.0))
        return found

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


def errors(
    student: Plan, pixels: Tensor, weights: list[Tensor], theirs: Tensor, features: list[Tensor]
) -> Any:
    """The student's unit gradients, their cosines, smoothed ones too, and the errors of every layer."""
    own, activations = gradients(student, pixels, weights, differentiable=True)
    missed = [
        (activation - feature).square().sum() / feature.square().sum()
        for activation, feature in zip(activations, features, strict=True)
    ]
    pairs = (own, theirs), (smoothed(own), smoothed(theirs))
    return own, torch.stack([(a * b).sum((1, 2, 3)) for a, b in pairs]), torch.stack(missed)


def held_out(teacher: Plan, student: Plan, crops: Crops, batch: int) -> tuple[list[float], ...]:
    """Cosine, that of smoothed gradients, and error at every layer, over crops of photographs never trained
    on, half of them dreamed."""
    crops.random.manual_seed(1)
    by_layer: list[list[Tensor]] = [[] for _ in LAYERS]
    missed = []
    pixels = crops.draw(batch)
    for turn in range(_TESTS):
        weights = crops.objectives(batch, channels_of(teacher, pixels))
        theirs, features = gradients(teacher, pixels, weights, differentiable=False)
        _, cosines, error = errors(student, pixels, weights, theirs, features)
        for layer, weight in enumerate(weights):
            by_layer[layer].append(cosines.detach()[:, weight.any(1)])
        missed.append(error.detach())
        pixels = crops.draw(batch) if turn % 2 else crops.dreamed_on(pixels, theirs, theirs)
    plain, smooth = torch.stack([torch.cat(of, 1).mean(1) for of in by_layer], 1).tolist()
    return plain, smooth, torch.stack(missed).mean(0).tolist()


def channels_of(teacher: Plan, pixels: Tensor) -> tuple[int, ...]:
    with torch.no_grad():
        return tuple(found.shape[1] for found in teacher(pixels[:1]))


def train(options: argparse.Namespace) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    with np.load(options.teacher, allow_pickle=False) as arrays:
        # What lies behind `mixed4` is of no use here.
        whole = {key: arrays[key] for key in arrays.files if _number(key) < _CONVOLUTIONS}
    with np.load(options.start, allow_pickle=False) as arrays:
        start = {key: arrays[key] for key in arrays.files}
    teacher, student = Plan(whole).to(device).requires_grad_(False), Plan(start).to(device)
    crops = Crops.of(options.photographs, False, options.side, options.seed, device)
    unseen = Crops.of(options.photographs, True, options.side, 1, device)
    optimizer = torch.optim.Adam(
        student.parameters(), options.learning_rate, betas=(0.9, 0.99), eps=1e-7, fused=device == "cuda"
    )
    pool = torch.cat([crops.draw(options.batch) for _ in range(options.pool // options.batch)])
    channels = channels_of(teacher, pool)
    print(f"{len(crops.sizes)} photographs, {len(unseen.sizes)} held out, {device}", flush=True)
    print("before", described(*held_out(teacher, student, unseen, options.batch)), flush=True)
    began = reported = time.monotonic()
    steps, recent = 0, torch.zeros((), device=device)
    while (done := (time.monotonic() - began) / (60 * options.minutes)) < 1:
        first = steps * options.batch % len(pool)
        pixels = pool[first : first + options.batch].contiguous(memory_format=torch.channels_last)
        weights = crops.objectives(len(pixels), channels)
        theirs, features = gradients(teacher, pixels, weights, differentiable=False)
        own, cosines, missed = errors(student, pixels, weights, theirs, features)
        optimizer.zero_grad(set_to_none=True)
        (2 * (1 - cosines).mean() + lesson.FEATURES * missed.sum()).backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), lesson.CLIP)
        for group in optimizer.param_groups:
            group["lr"] = options.learning_rate * min(1, (steps + 1) / lesson.WARM_UP) * (1 - done)
        optimizer.step()
        pool[first : first + options.batch] = crops.dreamed_on(pixels, theirs, own.detach())
        recent = recent + 0.01 * (cosines.detach().mean() - recent)
        steps += 1
        if steps % 50 == 0 and time.monotonic() - reported > _REPORT:
            reported = time.monotonic()
            minutes = (reported - began) / 60
            measured = described(*held_out(teacher, student, unseen, options.batch))
            print(
                f"{minutes:6.2f} min {steps * options.batch:8d} crops  train {recent:.3f}  {measured}",
                flush=True,
            )
            save(options, student, {})
    plain, smooth, missed = held_out(teacher, student, unseen, options.batch)
    print("after", described(plain, smooth, missed), flush=True)
    save(
        options,
        student,
        {
            "crops": steps * options.batch,
            "side": options.side,
            "seconds": round(time.monotonic() - began),
            "machine": torch.cuda.get_device_name() if device == "cuda" else "a processor",
            "seed": options.seed,
            "cosines": plain,
            "smoothed": smooth,
            "errors": missed,
        },
    )


def described(*figures: list[float]) -> str:
    shown = (" ".join(f"{value:.3f}" for value in values) for values in figures)
    return "cosine {}  smoothed {}  error {}".format(*shown)


def save(options: argparse.Namespace, student: Plan, facts: dict[str, Any]) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    half: dict[str, Any] = {key: value.astype(np.float16) for key, value in student.numpy().items()}
    partial = options.out / "pocket.npz.part"
    with open(partial, "wb") as file:
        np.savez_compressed(file, **half)
    partial.replace(options.out / "pocket.npz")
    if facts:
        (options.out / "trained.json").write_text(json.dumps(facts, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--start", type=Path, required=True, help="thin steps to go on from")
    parser.add_argument("--teacher", type=Path, required=True, help="an npz of whole convolutions")
    parser.add_argument("--photographs", type=Path, required=True, help="a folder of pictures")
    parser.add_argument("--out", type=Path, default=Path("build/pocket"))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--side", type=int, default=139, help="of a crop, in pixels")
    parser.add_argument("--batch", type=int, default=128, help="crops in a step")
    parser.add_argument("--pool", type=int, default=4096, help="crops on the way")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
