"""The objective of one network under one mask, and its gradient over a whole picture."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import tile_threads, tiled_gradient, tiles
from dreamkit.engine.masks import Mask
from dreamkit.engine.resize import Pixels
from dreamkit.engine.tf import compiled_step
from dreamkit.engine.tf.compiled_step import ObjectiveSpec
from dreamkit.engine.tf.gradients import Gradients
from dreamkit.engine.tf.network import Network
from dreamkit.errors import ConfigError, LayerError
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Objective
from dreamkit.terms import Term, Terms


class GradientStats(NamedTuple):
    """The values that a gradient was computed with.

    Attributes:
        balanced: the objective with balanced weights.
        weighted: the objective with the weights as given.
        coverage: share of the picture that was computed, 0 to 1.
    """

    balanced: float
    weighted: float
    coverage: float


class MaskedObjective:
    """Terms of one network under one mask.

    Attributes:
        compares: whether any of its terms compares with the photograph.
        is_guided: whether a guide applies to any of its terms.
        strength: factor of the normalised gradient.
        stride: pixels of the picture between neighbouring activations, in its deepest layer.
        weights: of the terms, with the sign of the network's weight.
        mask: the name of its mask; empty for the dream's own.
        min_size: the shortest side, in pixels, of the windows that the network takes.
    """

    def __init__(
        self,
        network: Network,
        terms: Terms,
        config: DreamConfig,
        *,
        strength: float = 1.0,
        mask: str = "",
        guide: NDArray[np.uint8] | None = None,
        size: tuple[int, int],
    ) -> None:
        """`guide` is a picture, `(height, width, 3)`; `size` is the height and width of the dream."""
        self.is_guided = guide is not None and any(term.guided for term in terms)
        self.strength = strength
        self.mask = mask
        self.min_size = network.min_size(term.layer for term in terms)
        self.stride = max(network.probe.stride(term.layer) for term in terms)
        self._weights = list(terms.values())
        self.weights = [float(np.sign(strength)) * weight for weight in self._weights]
        self._balanced_weights = np.asarray(self._weights, np.float32)
        self._wrapped = config.wrapped
        self._is_balanced = (
            not config.balance or len(terms) == 1
        )  # normalisation cancels the weight of one term
        self._measured = False
        specs: list[ObjectiveSpec] = []
        self._feeds: list[NDArray[np.float32]] = []
        self._positions: dict[
            int, tuple[float, float]
        ] = {}  # of neurons: index in `_feeds`, shares of the picture
        for term in terms:
            if config.crops and term.place is not None:
                raise LayerError(
                    f"{term} is a place of the whole picture, which --crop does not show; leave one out"
                )
            channel_weights = term.channel_weights(network.channels(term.layer))
            objective = _objective(term.objective or config.objective)
            features = None
            if guide is not None and term.guided:
                features = _features(network, term.layer, guide)
                if config.guide_style == "channels":
                    channel_weights, features = _guide_channel_weights(features), None
                else:
                    objective = _objective(config.guide_style)
            if channel_weights is not None and not term.channels and "channel_weights" not in objective.takes:
                raise LayerError(
                    f"the objective {objective.name} does not weigh channels, so {term} can follow neither a "
                    "direction nor a guide by channels; use mean or mean-square"
                )
            if channel_weights is None and objective.needs_direction:
                raise LayerError(
                    f"the objective {objective.name} compares with a direction, and {term} has none; give a "
                    "text, a concept, channels or a direction, or use mean or mean-square"
                )
            options = {name: getattr(config, name) for name in objective.settings}
            options |= objective.values(config.part_options(objective.name))
            specs.append(
                ObjectiveSpec(
                    term.layer,
                    objective,
                    channel_weights is not None,
                    term.place is not None,
                    tuple(options.items()),
                )
            )
            if channel_weights is not None:
                self._feeds.append(channel_weights)
            if term.place is not None:
                self._positions[len(self._feeds)] = _position(network, term, size)
                self._feeds.append(np.empty((0, 2), np.float32))
            if features is not None:
                self._feeds.append(features)
        self._powers = [spec.objective.power for spec in specs]
        self.compares = any(spec.beside for spec in specs)
        _check_redirection(specs, config, strength)
        self._network, self._compiled = network, (specs, config.border, config.precision)
        redirected = Gradients(redirected_relu=True, pooling=config.pooling)
        self._gradients = [Gradients(pooling=config.pooling)] + [redirected] * (config.redirected_relu > 0)
        self._steps = [network.step(*self._compiled, each) for each in self._gradients]
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
        photo: Pixels | None = None,
        redirected: bool = False,
    ) -> GradientStats:
        """Writes the gradient with respect to `pixels`, rolled by `roll`, to `out`.

        `where` and `margin` are those of `tiled_gradient.gradient`; `photo` is the photograph as `pixels` are
        seen, for terms that compare with it. `redirected` is whether silent ReLUs pass on what would raise
        them, in a dream that has `redirected_relu`.
        """

        height, width, _ = pixels.shape
        cover = self.cover((height, width), tile_size)

        for each in [roll] if self._is_balanced else [(0, 0), roll]:
            stats = tiled_gradient.gradient(
                pixels,
                self._steps[redirected],
                self._balanced_weights,
                cover,
                tile_size,
                each,
                out,
                feeds=partial(
                    self._feeds_on_tiles, cover=cover, roll=each, size=(height, width), photo=photo
                ),
                where=where,
                margin=margin,
                devices=self._devices,
            )
            if not self._is_balanced:
                self.restore_balance(balanced(self._weights, stats.mean_squares, self._powers))
        weighted = float(stats.objectives @ np.asarray(self._weights))
        return GradientStats(float(stats.objectives @ self._balanced_weights), weighted, stats.coverage)

    def _feeds_on_tiles(
        self,
        batch: tiles.Batch,
        *,
        cover: tiles.Cover,
        roll: tuple[int, int],
        size: tuple[int, int],
        photo: Pixels | None,
    ) -> list[NDArray[np.float32]]:
        """The feeds for a batch of windows, with neurons where they lie in each window."""
        feeds = list(self._feeds)
        for index, (down, right) in self._positions.items():
            spot = int(down * size[0]) + roll[0], int(right * size[1]) + roll[1]
            feeds[index] = _within(batch, cover, spot, size)
        if not self.compares:
            return feeds
        assert photo is not None
        return [tiled_gradient.windows_of(photo, batch, cover, roll), *feeds]

    @property
    def balance(self) -> list[float] | None:
        """The balanced weights, measured at the first step. None before it, and where nothing is balanced."""
        return self._balanced_weights.tolist() if self._measured else None

    def restore_balance(self, balance: Sequence[float] | NDArray[np.float32]) -> None:
        """Takes over balanced weights that were measured before, for a dream that is resumed."""
        self._balanced_weights = np.asarray(balance, np.float32)
        self._is_balanced = self._measured = True

    def cover(self, size: tuple[int, int], tile_size: int) -> tiles.Cover:
        """The tiles of a picture of `size` (height, width)."""
        return tiles.cover(size, tile_size, self.min_size, self._wrapped)

    def together(self, size: tuple[int, int], tile_size: int) -> int:
        """How many batches of a picture's tiles are computed at the same time."""
        return min(len(self._devices), self.cover(size, tile_size).batch_count(tile_size))

    def live_bytes(self, sizes: Sequence[tuple[int, int]], tile_size: int) -> int:
        """Peak bytes of the steps that are computed at the same time, for pictures of `sizes`."""
        batches = [
            (self.cover(size, tile_size).windows(tile_size), self.together(size, tile_size)) for size in sizes
        ]
        windows, together = max(batches, key=lambda batch: math.prod(batch[0]) * batch[1])
        feeds = [array.shape for array in self._feeds_for(windows)]
        shapes = [windows, self._balanced_weights.shape, *feeds]
        return together * max(
            self._network.live_bytes(*self._compiled, shapes, each) for each in self._gradients
        )

    def one_by_one(self) -> bool:
        """From now on computes one batch of tiles at a time on each device; whether that changes anything."""
        before, self._devices = self._devices, list(dict.fromkeys(self._devices))
        return self._devices != before

    def seconds(self, size: tuple[int, int], tile_size: int) -> float:
        """The time of a step for each pixel of the tiles of a picture of `size`; measured."""
        windows = self.cover(size, tile_size).windows(tile_size)
        together = self.together(size, tile_size)
        batches = [np.zeros(windows, np.float32) for _ in range(together)]

        def run(black: Pixels, device: str) -> None:
            self._steps[0](black, self._balanced_weights, self._feeds_for(windows), device)

        for _ in range(2):  # the first time, TensorFlow's kernels make their own plans
            began = time.perf_counter()
            tile_threads.compute(run, batches, self._devices)
        return (time.perf_counter() - began) / (together * math.prod(windows[:3]))

    def _feeds_for(self, windows: tuple[int, ...]) -> list[NDArray[np.float32]]:
        feeds = list(self._feeds)
        for index in self._positions:
            feeds[index] = np.full((windows[0], 2), -1.0, np.float32)
        return [np.zeros(windows, np.float32), *feeds] if self.compares else feeds


def _objective(objective: str | Objective) -> Objective:
    """The record of an objective, which a config names or has itself."""
    if isinstance(objective, Objective):
        return objective
    found: Objective = registry.installed(registry.OBJECTIVES).get(str(objective))
    return found


def _check_redirection(specs: Sequence[ObjectiveSpec], config: DreamConfig, strength: float) -> None:
    """Refuses a redirected ReLU gradient where it cannot help.

    Raises:
        ConfigError: what is silent has no gradient to redirect, or is what is wanted.
    """
    if not config.redirected_relu:
        return
    if all(spec.objective.name == "mean-square" for spec in specs):
        raise ConfigError(
            f"redirected_relu is {config.redirected_relu}, but the objective mean-square has no gradient "
            "where a unit is silent; use the objective mean"
        )
    if strength < 0:
        raise ConfigError(
            f"redirected_relu is {config.redirected_relu}, which raises what is silent, and a network of "
            "negative weight minimises it; set redirected_relu to 0"
        )


def _features(network: Network, layer: str, guide: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The guide's activations, `(places, channels)`, brought to a mean square of one."""
    height, width, _ = guide.shape
    try:
        there = min(network.probe.map_size(layer, (height, width))) > 0
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


def _guide_channel_weights(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights of channels by a guide: their sums over the guide, scaled to absolute values that sum to one
    (crowsonkb/deep_dream, 2016)."""
    sums = features.sum(0, dtype=np.float64)
    return np.asarray(sums / (np.abs(sums).sum() or 1.0), np.float32)


def _position(network: Network, term: Term, size: tuple[int, int]) -> tuple[float, float]:
    """The middle of a neuron's cell, as shares of the picture's height and width."""
    assert term.place is not None
    column, row = term.place
    height, width = network.probe.map_size(term.layer, size)
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


def balanced(
    weights: Sequence[float], mean_squares: NDArray[np.float64], powers: Sequence[int]
) -> NDArray[np.float32]:
    """The balanced weight of each term's objective: its weight divided by the size of its activations.

    `mean_squares` are those of each term's activations at the first step. `powers` say how an objective
    scales with them: 2 for a mean of squares, which is divided by the mean square, 1 for a mean, which is
    divided by its root, 0 for a cosine, which is not divided. So a layer moves the picture alike whatever
    unit its activations have. A layer whose activations are all zero keeps its weight.
    """
    by_power = [np.ones_like(mean_squares), np.sqrt(mean_squares), mean_squares]
    sizes = np.choose(np.asarray(powers), by_power)
    divided: NDArray[np.float32] = (np.asarray(weights) / np.where(sizes > 0, sizes, 1.0)).astype(np.float32)
    return divided
