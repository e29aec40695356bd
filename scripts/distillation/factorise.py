"""A network's convolutions in thin steps: which directions matter, how many to keep, the first weights.

Low-rank factors of a convolution, its input's directions weighted by how strongly real pictures excite
them: the Tucker-2 form of Kim et al. 2016 (arXiv 1511.06530) with the response reconstruction of Zhang et
al. 2015 (arXiv 1505.06798). How many directions to keep is a trade of arithmetic against the objective's
pixel gradient, the only thing a dream follows: every convolution is thinned alone, and how far that turns
the gradient is the price of thinning it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Arrays = dict[str, Array]

# 1 x 1 convolutions that read the same input share one `down`.
SIBLINGS = {
    "mixed0": (5, 6, 8, 11),
    "mixed1": (12, 13, 15, 18),
    "mixed2": (19, 20, 22, 25),
    "mixed4": (30, 31, 34, 39),
}
CONVOLUTIONS = 40
# What arithmetic the network's start may use; each block that is added must keep to the same share.
_ENDS = 11, 18, 25, 29, 39  # the last convolutions of mixed0 to mixed4
_LOSSES = 0.1, 0.03  # the parts of a layer's energy given up to see what they are worth


def name(number: int) -> str:
    """Keras' name of convolution `number`."""
    return f"conv2d_{number}" if number else "conv2d"


@dataclass(frozen=True, slots=True)
class Moments:
    """What real pictures do to one convolution, over all positions.

    Attributes:
        inputs: mean of x xᵀ over its inputs, `(in, in)`.
        outputs: covariance of its outputs before the ReLU, `(out, out)`.
        mean: mean of these outputs, `(out,)`.
        positions: numbers of input and output positions in a picture.
    """

    inputs: Array
    outputs: Array
    mean: Array
    positions: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Site:
    """One place to thin: a convolution, or the siblings that share a `down`."""

    key: str
    numbers: tuple[int, ...]
    kernels: tuple[Array, ...]
    moments: Moments
    down: Array  # (in, in): columns to keep, strongest first
    back: Array  # (in, in): rows that undo them
    kept_in: Array  # energy kept by the first n columns
    up: Array | None  # (out, out) directions of the output; None where one pair of steps is enough
    kept_out: Array | None

    @property
    def pointwise(self) -> bool:
        return self.up is None

    def arithmetic(self, ranks: tuple[int, int] | None) -> float:
        """Multiplications in one picture with these ranks; None: whole."""
        before, after = self.moments.positions
        height, width, channels, _ = self.kernels[0].shape
        filters = sum(kernel.shape[-1] for kernel in self.kernels)
        if ranks is None:
            return float(after * height * width * channels * filters)
        first, second = ranks
        if self.pointwise:
            return float(after * first * (channels + filters))
        return float(before * channels * first + after * second * (height * width * first + filters))

    def lost(self, ranks: tuple[int, int] | None) -> float:
        """The part of the energy given up, of inputs and outputs together."""
        if ranks is None:
            return 0.0
        lost = 1 - self.kept_in[ranks[0] - 1]
        return float(lost if self.kept_out is None else lost + 1 - self.kept_out[ranks[1] - 1])

    def ranks_losing(self, part: float) -> tuple[int, int]:
        first = int(np.argmax(self.kept_in >= 1 - part)) + 1
        return first, 0 if self.kept_out is None else int(np.argmax(self.kept_out >= 1 - part)) + 1

    def thin(self, ranks: tuple[int, int], biases: Mapping[int, Array]) -> Arrays:
        """The arrays of the thin steps, biases with what the dropped outputs were on average."""
        first, second = ranks
        down, back = self.down[:, :first], self.back[:first]
        if self.pointwise:
            arrays = {f"{self.key}/down": down[None, None]}
            for number, kernel in zip(self.numbers, self.kernels, strict=True):
                arrays[f"{name(number)}/up"] = (back @ kernel[0, 0])[None, None]
                arrays[f"{name(number)}/bias"] = biases[number]
            return arrays
        assert self.up is not None
        up, bias = self.up[:, :second], biases[self.numbers[0]]
        beside = self.moments.mean - bias
        return {
            f"{self.key}/down": down[None, None],
            f"{self.key}/core": np.asarray(back @ self.kernels[0] @ up, np.float32),
            f"{self.key}/up": up.T[None, None],
            f"{self.key}/bias": bias + beside - up @ (up.T @ beside),
        }

    def thinned(self, ranks: tuple[int, int], biases: Mapping[int, Array]) -> Arrays:
        """The same function as `thin`, as whole kernels."""
        arrays = self.thin(ranks, biases)
        down = arrays[f"{self.key}/down"][0, 0]
        whole: Arrays = {}
        for number in self.numbers:
            up = arrays[f"{name(number)}/up"][0, 0]
            core = arrays.get(f"{name(number)}/core", np.eye(len(up), dtype=np.float32)[None, None])
            whole[f"{name(number)}/kernel"] = down @ core @ up
            whole[f"{name(number)}/bias"] = arrays[f"{name(number)}/bias"]
        return whole


def sites(teacher: Mapping[str, Array], moments: Mapping[int, Moments]) -> list[Site]:
    """Every place of the plan that can be thinned: all but the first convolution, which is thin."""
    groups = {numbers[0]: (block, numbers) for block, numbers in SIBLINGS.items()}
    members = {number for numbers in SIBLINGS.values() for number in numbers}
    found = []
    for number in range(1, CONVOLUTIONS):
        if number in members and number not in groups:
            continue
        key, numbers = groups.get(number, (name(number), (number,)))
        found.append(_site(key, numbers, [teacher[f"{name(n)}/kernel"] for n in numbers], moments[number]))
    return found


def _site(key: str, numbers: tuple[int, ...], kernels: list[Array], moments: Moments) -> Site:
    values, vectors = np.linalg.eigh(moments.inputs.astype(np.float64))
    values = np.maximum(values, 1e-6 * values.max())  # channels that never fire
    root, inverse = (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
    energy = np.zeros_like(root)
    for kernel in kernels:
        excited = root @ kernel
        of_kernel = np.einsum("hwaf,hwbf->ab", excited, excited)
        energy += of_kernel / np.trace(of_kernel)
    kept_in, inner = _strongest(energy)
    up = kept_out = None
    if kernels[0].shape[0] * kernels[0].shape[1] > 1:
        kept_out, up = _strongest(moments.outputs.astype(np.float64))
    return Site(
        key,
        numbers,
        tuple(kernels),
        moments,
        (inverse @ inner).astype(np.float32),
        (inner.T @ root).astype(np.float32),
        kept_in,
        None if up is None else up.astype(np.float32),
        kept_out,
    )


def _strongest(energy: npt.NDArray[np.float64]) -> tuple[Array, npt.NDArray[np.float64]]:
    values, vectors = np.linalg.eigh(energy)
    values = np.maximum(values[::-1], 0)
    return (np.cumsum(values) / values.sum()).astype(np.float32), vectors[:, ::-1]


def prices(
    places: Iterable[Site],
    biases: Mapping[int, Array],
    turned: Callable[[Arrays], float],
) -> dict[str, float]:
    """What thinning each site costs: 1 - cosine of the pixel gradient, per energy given up.

    `turned` tells that cosine for a teacher with some of its arrays replaced.
    """
    found = {}
    for site in places:
        ranks = [site.ranks_losing(part) for part in _LOSSES]
        found[site.key] = float(
            np.mean([(1 - turned(site.thinned(r, biases))) / max(site.lost(r), 1e-3) for r in ranks])
        )
    return found


def ranks(places: list[Site], price: Mapping[str, float], share: float) -> dict[str, tuple[int, int] | None]:
    """The ranks that turn the gradient least while every block costs at most `share` of the teacher's.

    Blocks are settled from the input on: each may use what those before it left over.
    """
    chosen: dict[str, tuple[int, int] | None] = {}
    first = places[0].moments.positions[0] * 9 * 3 * 32  # the first convolution stays whole
    budget, spent = share * first, float(first)
    for begin, end in itertools.pairwise((0, *_ENDS)):
        block = [_Choice.of(site, price[site.key]) for site in places if begin < site.numbers[0] <= end]
        budget += share * sum(choice.site.arithmetic(None) for choice in block)
        low, high = -16.0, -4.0
        for _ in range(30):
            middle = (low + high) / 2
            too_dear = spent + sum(choice.at(10**middle)[1] for choice in block) > budget
            low, high = (middle, high) if too_dear else (low, middle)
        for choice in block:
            chosen[choice.site.key], cost = choice.at(10**high)
            spent += cost
    return chosen


@dataclass(frozen=True, slots=True)
class _Choice:
    """All ranks that a site could have, with what each turns and costs."""

    site: Site
    options: list[tuple[int, int] | None]
    turned: npt.NDArray[np.float64]
    arithmetic: npt.NDArray[np.float64]

    @classmethod
    def of(cls, site: Site, price: float) -> _Choice:
        seconds = [0] if site.kept_out is None else range(4, len(site.kept_out) + 1, 4)
        options = [None, *itertools.product(range(4, len(site.kept_in) + 1, 2), seconds)]
        turned = [price * site.lost(ranks) for ranks in options]
        return cls(site, options, np.array(turned), np.array([site.arithmetic(ranks) for ranks in options]))

    def at(self, rate: float) -> tuple[tuple[int, int] | None, float]:
        """The best option where arithmetic costs `rate`, and its arithmetic."""
        best = int(np.argmin(self.turned + rate * self.arithmetic))
        return self.options[best], float(self.arithmetic[best])
