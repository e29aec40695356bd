"""What one network is asked for in one region of the picture: its gradient, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import objectives, tiled_gradient, tiles
from dreamkit.engine.masks import Mask
from dreamkit.engine.resize import Pixels
from dreamkit.engine.tf import compiled_step
from dreamkit.engine.tf.compiled_step import Ascent, Goal
from dreamkit.engine.tf.network import Network
from dreamkit.errors import ConfigError, LayerError


class Seen(NamedTuple):
    """What a gradient was taken of.

    Attributes:
        pulled: the objective as it is pulled.
        weighed: the objective as the weights alone have it.
        share: of the picture that was computed, 0 to 1.
    """

    pulled: float
    weighed: float
    share: float


class Pull:
    """Terms of one network under one mask.

    Attributes:
        is_guided: whether the guide has a say.
        strength: what the normalised gradient is multiplied by.
        stride: pixels between neighbouring activations, of the layer where that is most.
        weights: of the terms, with the sign of the network's own.
        mask: the name of the mask; empty for the dream's own.
        min_size: the shortest side, in pixels, of the windows that the network takes.
    """

    def __init__(
        self,
        network: Network,
        terms: objectives.Terms,
        config: DreamConfig,
        *,
        strength: float = 1.0,
        mask: str = "",
        guide: NDArray[np.uint8] | None = None,
        size: tuple[int, int],
    ) -> None:
        """`guide` is a picture, `(height, width, 3)`; `size` the height and width of what is dreamed."""
        self.is_guided = guide is not None and any(term.guided for term in terms)
        self.strength = strength
        self.mask = mask
        self.min_size = network.min_size(term.layer for term in terms)
        self.stride = max(network.stride(term.layer) for term in terms)
        self._weights = list(terms.values())
        self.weights = [float(np.sign(strength)) * weight for weight in self._weights]
        self._pulls = np.asarray(self._weights, np.float32)
        self._wrapped = config.wrapped
        self._balanced = not config.balance or len(terms) == 1  # one term's pull is normalised away
        self._measured = False
        goals: list[Goal] = []
        self._fed: list[NDArray[np.float32]] = []
        self._places: dict[
            int, tuple[float, float]
        ] = {}  # where in `_fed` each belongs; shares of the picture
        for term in terms:
            counts = term.counts(network.channels(term.layer))
            kind = term.objective or config.objective
            features = None
            if guide is not None and term.guided:
                features = _features(network, term.layer, guide)
                if config.guide_style == "channels":
                    counts, features = _woken(features), None
                else:
                    kind = "match"
            goals.append(Goal(term.layer, _kind(kind), counts is not None, term.place is not None))
            if counts is not None:
                self._fed.append(counts)
            if term.place is not None:
                self._places[len(self._fed)] = _share(network, term, size)
                self._fed.append(np.empty((0, 2), np.float32))
            if features is not None:
                self._fed.append(features)
        self._powers = [goal.power for goal in goals]
        self._network, self._compiled = network, (goals, config.border, config.precision)
        self._step = network.ascent(*self._compiled)
        self._devices = compiled_step.devices()

    def gradient(
        self,
        pixels: Pixels,
        roll: tuple[int, int],
        out: Pixels,
        tile_size: int,
        *,
        where: Mask | None = None,
        margin: int = 0,
    ) -> Seen:
        """Writes the gradient with respect to `pixels`, rolled by `roll`, to `out`.

        `where` and `margin` are those of `ascent.gradient`.
        """

        def measure(roll: tuple[int, int]) -> tiled_gradient.Measure:
            return self._measure(pixels, roll, out, tile_size, where, margin)

        if not self._balanced:
            seen = measure((0, 0))
            self.rebalance(objectives.pulls(self._weights, seen.mean_squares, self._powers))
        seen = measure(roll)
        weighed = float(seen.objectives @ np.asarray(self._weights))
        return Seen(float(seen.objectives @ self._pulls), weighed, seen.share)

    @property
    def balance(self) -> list[float] | None:
        """What was measured once, at the first step: how hard each term is pulled, so that all move the
        picture alike. None before it, and where nothing is to be balanced."""
        return self._pulls.tolist() if self._measured else None

    def rebalance(self, balance: Sequence[float] | NDArray[np.float32]) -> None:
        """Takes over what was measured, as a dream that goes on does."""
        self._pulls = np.asarray(balance, np.float32)
        self._balanced = self._measured = True

    def cover(self, size: tuple[int, int], tile_size: int) -> tiles.Cover:
        """The tiles of a picture of `size` (height, width)."""
        return tiles.cover(size, tile_size, self.min_size, self._wrapped)

    def live_bytes(self, windows: tuple[int, ...]) -> int:
        """The most that a step over a batch of windows of this shape holds at once."""
        fed = [array.shape for array in self._fed_for(windows[0])]
        return self._network.live_bytes(*self._compiled, [windows, self._pulls.shape, *fed])

    def try_out(self, windows: tuple[int, ...]) -> None:
        """A step over a batch of windows of this shape, with nothing in them."""
        self._step(np.zeros(windows, np.float32), self._pulls, self._fed_for(windows[0]))

    def _fed_for(self, count: int) -> list[NDArray[np.float32]]:
        fed = list(self._fed)
        for index in self._places:
            fed[index] = np.full((count, 2), -1.0, np.float32)
        return fed

    def _measure(
        self,
        pixels: Pixels,
        roll: tuple[int, int],
        out: Pixels,
        tile_size: int,
        where: Mask | None,
        margin: int,
    ) -> tiled_gradient.Measure:
        height, width, _ = pixels.shape
        cover = self.cover((height, width), tile_size)

        def step(windows: Pixels, batch: tiles.Batch, device: str) -> Ascent:
            fed = list(self._fed)
            for index, (down, right) in self._places.items():
                spot = int(down * height) + roll[0], int(right * width) + roll[1]
                fed[index] = _within(batch, cover, spot, (height, width))
            return self._step(windows, self._pulls, fed, device)

        return tiled_gradient.gradient(
            pixels,
            step,
            len(self._weights),
            cover,
            tile_size,
            roll,
            out,
            where=where,
            margin=margin,
            devices=self._devices,
        )


def _kind(kind: str) -> Literal["mean", "mean-square", "match"]:
    return "match" if kind == "match" else "mean" if kind == "mean" else "mean-square"


def _features(network: Network, layer: str, guide: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The guide's activations, `(places, channels)`, brought to a mean square of one."""
    height, width, _ = guide.shape
    try:
        there = min(network.map_size(layer, (height, width))) > 0
    except ValueError:  # TensorFlow's word for a size below one
        there = False
    if not there or min(height, width) < network.min_size([layer]):
        raise ConfigError(
            f"the guide has {width} x {height} pixels, too few for {layer} of {network.provider.name}; "
            "give a larger one"
        )
    (activations,) = network.activations([layer])(guide[None].astype(np.float32))
    features = activations.reshape(-1, activations.shape[-1])
    size = float(np.sqrt(np.mean(np.square(features), dtype=np.float64)))
    return np.asarray(features / (size or 1.0), np.float32)


def _woken(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """How much each channel counts where a guide wakes some: their sums over the guide, brought to a sum of
    sizes of one (crowsonkb/deep_dream, 2016)."""
    sums = features.sum(0, dtype=np.float64)
    return np.asarray(sums / (np.abs(sums).sum() or 1.0), np.float32)


def _share(network: Network, term: objectives.Term, size: tuple[int, int]) -> tuple[float, float]:
    """The middle of a neuron's cell, as shares of the picture's height and width."""
    assert term.place is not None
    column, row = term.place
    height, width = network.map_size(term.layer, size)
    if column >= width or row >= height:
        raise LayerError(
            f"there is no neuron {column}x{row}; the map of {term.layer} for this picture has columns 0 to "
            f"{width - 1} and rows 0 to {height - 1}"
        )
    return (row + 0.5) / height, (column + 0.5) / width


def _within(
    batch: tiles.Batch,
    cover: tiles.Cover,
    spot: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Where `spot`, a pixel of the rolled picture, lies in each window: shares, or -1 outside its core."""
    places = np.full((len(batch), 2), -1.0, np.float32)
    for place, spans in zip(places, batch, strict=True):
        inside = [(at - span.start) % side for at, span, side in zip(spot, spans, size, strict=True)]
        if all(pixel < span.core for pixel, span in zip(inside, spans, strict=True)):
            place[:] = [
                (axis.context + pixel + 0.5) / axis.window for pixel, axis in zip(inside, cover, strict=True)
            ]
    return places
