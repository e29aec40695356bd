"""A network's convolutions in thin steps: which directions matter, how many to keep, the first weights.

Low-rank factors of a convolution, its input's directions weighted by how strongly real pictures excite
them: the Tucker-2 form of Kim et al. 2016 (arXiv 1511.06530) with the response reconstruction of Zhang et
al. 2015 (arXiv 1505.06798). How many directions to keep is a trade of arithmetic against the objectives'
pixel gradients, all that a dream follows: every convolution is thinned alone, by several amounts, and how far
that turns the gradients is the price of thinning it so far.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Arrays = dict[str, Array]
Ranks = tuple[int, int] | None  # of input and output, 0 where that side is whole; None: nothing is thinned

BLOCK = 16  # channels that a processor's vector holds; ranks are whole blocks, as the rest would idle
_MOVED = 45  # multiplications in the time that a number takes to be read or written (measured, two cores)
LOSSES = 0.001, 0.01, 0.05, 0.2  # the parts of a convolution's energy given up to see what they are worth


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
    """One convolution that can be thinned."""

    name: str
    kernel: Array
    bias: Array
    moments: Moments
    down: Array  # (in, in): columns to keep, strongest first
    back: Array  # (in, in): rows that undo them
    kept_in: Array  # energy kept by the first n columns
    up: Array | None  # (out, out) directions of the output; None where one pair of steps is enough
    kept_out: Array | None

    @classmethod
    def of(cls, name: str, kernel: Array, bias: Array, moments: Moments) -> Site:
        """The directions of a convolution's inputs and outputs, strongest first."""
        values, vectors = np.linalg.eigh(moments.inputs.astype(np.float64))
        values = np.maximum(values, 1e-6 * values.max())  # channels that never fire
        root, inverse = (vectors * np.sqrt(values)) @ vectors.T, (vectors / np.sqrt(values)) @ vectors.T
        excited = root @ kernel
        kept_in, inner = _strongest(np.einsum("hwaf,hwbf->ab", excited, excited))
        up = kept_out = None
        if kernel.shape[0] * kernel.shape[1] > 1:
            kept_out, up = _strongest(moments.outputs.astype(np.float64))
        return cls(
            name,
            kernel,
            bias,
            moments,
            (inverse @ inner).astype(np.float32),
            (inner.T @ root).astype(np.float32),
            kept_in,
            None if up is None else up.astype(np.float32),
            kept_out,
        )

    @property
    def pointwise(self) -> bool:
        return self.up is None

    def cost(self, ranks: Ranks) -> float:
        """What it costs with these ranks, in multiplications: those that it does, in whole blocks of
        channels, and for every number that it reads or writes what takes as long."""
        before, after = self.moments.positions
        height, width, channels, filters = self.kernel.shape
        first, second = ranks or (0, 0)
        steps = [(before, 1, channels, first)] if first else []
        if self.pointwise:
            steps.append((after, 1, first or channels, filters))
        else:
            steps.append((after, height * width, first or channels, second or filters))
            steps += [(after, 1, second, filters)] if second else []
        return float(
            sum(
                positions * (taps * _blocks(ins) * _blocks(outs) + _MOVED * (ins + outs))
                for positions, taps, ins, outs in steps
            )
        )

    def lost(self, ranks: Ranks) -> float:
        """The part of the energy given up, of inputs and outputs together."""
        first, second = ranks or (0, 0)
        lost = 1 - self.kept_in[first - 1] if first else 0.0
        return float(lost + (1 - self.kept_out[second - 1] if self.kept_out is not None and second else 0.0))

    def ranks_losing(self, part: float) -> Ranks:
        """The least ranks that lose at most `part` of the energy on each side."""
        first = int(np.argmax(self.kept_in >= 1 - part)) + 1
        return first, 0 if self.kept_out is None else int(np.argmax(self.kept_out >= 1 - part)) + 1

    def thin(self, ranks: Ranks) -> Arrays:
        """The arrays of the thin steps, biases with what the dropped outputs were on average."""
        first, second = ranks or (0, 0)
        kernel, bias = self.kernel, self.bias
        arrays: Arrays = {}
        if first:
            arrays[f"{self.name}/down"] = self.down[None, None, :, :first]
            kernel = np.asarray(self.back[:first] @ kernel, np.float32)
        if second and self.up is not None:
            up = self.up[:, :second]
            beside = self.moments.mean - bias
            bias = bias + beside - up @ (up.T @ beside)
            arrays[f"{self.name}/up"] = up.T[None, None]
            kernel = np.asarray(kernel @ up, np.float32)
        if not arrays:
            return {f"{self.name}/kernel": kernel, f"{self.name}/bias": bias}
        last = "up" if self.pointwise else "core"
        return {**arrays, f"{self.name}/{last}": kernel, f"{self.name}/bias": np.asarray(bias, np.float32)}

    def thinned(self, ranks: Ranks) -> Arrays:
        """The same function as `thin`, as a whole kernel."""
        arrays = self.thin(ranks)
        kernel = self.kernel
        down, core, up = (arrays.get(f"{self.name}/{part}") for part in ("down", "core", "up"))
        if down is not None or up is not None:
            parts = [part for part in (down, core, up) if part is not None]
            steps = [part[0, 0] if part.shape[:2] == (1, 1) else part for part in parts]
            kernel = steps[0]
            for step in steps[1:]:
                kernel = kernel @ step
            kernel = kernel.reshape(self.kernel.shape)
        return {f"{self.name}/kernel": kernel, f"{self.name}/bias": arrays[f"{self.name}/bias"]}


def _blocks(channels: int) -> int:
    return -(-channels // BLOCK) * BLOCK


def _strongest(energy: npt.NDArray[np.float64]) -> tuple[Array, npt.NDArray[np.float64]]:
    values, vectors = np.linalg.eigh(energy)
    values = np.maximum(values[::-1], 0)
    return (np.cumsum(values) / values.sum()).astype(np.float32), vectors[:, ::-1]


Price = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def prices(places: Iterable[Site], turned: Callable[[Arrays], float]) -> dict[str, Price]:
    """What thinning each site costs: the energies given up, and 1 - cosine of the pixel gradients at each.

    `turned` tells that cosine for a teacher with some of its arrays replaced.
    """
    found = {}
    for site in places:
        pairs = {0.0: 0.0}
        for part in LOSSES:
            ranks = site.ranks_losing(part)
            pairs[site.lost(ranks)] = max(0.0, 1 - turned(site.thinned(ranks)))
        losses = np.array(sorted(pairs))
        # Giving up more is never worth more, though a measurement may say so.
        found[site.name] = losses, np.maximum.accumulate([pairs[loss] for loss in losses])
    return found


def ranks(places: Sequence[Site], price: Mapping[str, Price], fixed: float, share: float) -> dict[str, Ranks]:
    """The ranks that turn the gradients least while all together cost at most `share` of the arithmetic.

    `fixed` is the arithmetic of what is not thinned, in multiplications as a site counts them.
    """
    choices = [_Choice.of(site, price[site.name]) for site in places]
    budget = share * (fixed + sum(site.cost(None) for site in places))
    low, high = -16.0, -2.0
    for _ in range(40):
        middle = (low + high) / 2
        too_dear = fixed + sum(choice.at(10**middle)[1] for choice in choices) > budget
        low, high = (middle, high) if too_dear else (low, middle)
    return {choice.site.name: choice.at(10**high)[0] for choice in choices}


@dataclass(frozen=True, slots=True)
class _Choice:
    """All ranks that a site could have, with what each turns and costs."""

    site: Site
    options: list[Ranks]
    turned: npt.NDArray[np.float64]
    costs: npt.NDArray[np.float64]

    @classmethod
    def of(cls, site: Site, price: Price) -> _Choice:
        firsts = [0, *range(BLOCK, len(site.kept_in), BLOCK)]
        seconds = [0] if site.kept_out is None else [0, *range(BLOCK, len(site.kept_out), BLOCK)]
        options: list[Ranks] = [None, *(pair for pair in itertools.product(firsts, seconds) if any(pair))]
        turned = np.array([_at(site.lost(ranks), price) for ranks in options])
        return cls(site, options, turned, np.array([site.cost(ranks) for ranks in options]))

    def at(self, rate: float) -> tuple[Ranks, float]:
        """The best option where arithmetic costs `rate`, and its arithmetic."""
        best = int(np.argmin(self.turned + rate * self.costs))
        return self.options[best], float(self.costs[best])


def _at(lost: float, price: Price) -> float:
    """The price between the measured ones; beyond the last, along the line to it."""
    losses, turned = price
    if lost > losses[-1]:
        return float(turned[-1] * lost / losses[-1])
    return float(np.interp(lost, losses, turned))
