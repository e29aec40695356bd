"""Whether a dream of a channel tells the truth: how a network takes it, beside photographs and noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from dreamkit.concepts.learning import main_layers
from dreamkit.config import DreamConfig
from dreamkit.engine.resize import resize
from dreamkit.errors import ConfigError, shown
from dreamkit.inputs import PathLike, open_picture
from dreamkit.models.spec import ModelSpec
from dreamkit.observations.observer import KEPT, opened
from dreamkit.observations.similarity import LayerSimilarity, noise_like, similarity
from dreamkit.observations.store import Observations, observe

if TYPE_CHECKING:
    from dreamkit.engine.tf.network import Network
    from dreamkit.executors.executor import Executor

_Maps: TypeAlias = list[NDArray[np.float32]]  # of one picture, a layer each, `(1, height, width, channels)`
_Look: TypeAlias = Callable[[NDArray[np.float32]], _Maps]


@dataclass(frozen=True)
class Reached:
    """The activation of a channel in pictures, the mean of all of them.

    Attributes:
        mean: over all places.
        largest: of all places.
    """

    mean: float
    largest: float


@dataclass(frozen=True)
class Examination:
    """What was found of a dream.

    Attributes:
        name: of the dream's file.
        layer, channel: what it dreams.
        dream: what it reaches.
        photographs: what the photographs reach that wake the channel most, and how many those are.
        noise: what noise with the dream's spectrum reaches.
        layers: how alike the dream and those photographs are processed, up to `layer`.
        elsewhere: the same in another network, of all its main layers; none without one.
    """

    name: str
    layer: str
    channel: int
    dream: Reached
    photographs: Reached
    best: int
    noise: Reached
    layers: tuple[LayerSimilarity, ...]
    elsewhere: tuple[LayerSimilarity, ...]


class Examiner:
    """Examines dreams by photographs that it has looked at."""

    def __init__(
        self,
        spec: ModelSpec,
        network: Network,
        photographs: Sequence[str],
        *,
        other: Network | None = None,
        seed: int = 0,
        on_picture: Callable[[int, int], None] | None = None,
        executor: Executor | None = None,
    ) -> None:
        """Args:
        spec, network: of the dreams: see `observe`.
        photographs: paths of the photographs.
        other: another network, to which what was dreamed may transfer.
        seed: of the choice of other photographs and of noise.
        on_picture, executor: as of `observe`.
        """
        self._spec, self._network, self._other = spec, network, other
        self._photographs, self._seed = photographs, seed
        self._on_picture, self._executor = on_picture, executor
        self._observed: dict[str, Observations] = {}
        self._looks: dict[tuple[int, tuple[str, ...]], _Look] = {}

    def examine(self, dream: PathLike, layer: str, channel: int) -> Examination:
        """Examines a dream of one channel. It is looked at as it is, or its middle if it is larger than what
        is seen of photographs.

        Raises:
            LayerError: the layer does not exist.
            ImageError: the dream or a photograph cannot be read.
            ConfigError: the channel does not exist, or fewer than two photographs wake it.
        """
        network = self._network
        observed = self._of(layer)
        if not 0 <= channel < network.channels(layer):
            last = network.channels(layer) - 1
            raise ConfigError(f"{layer} has the channels 0 to {last}; {channel} is none of them")
        strongest = observed.seen.strongest[:, channel] > 0
        best = observed.seen.strongest_at[strongest, channel, 0]
        if len(best) < 2:
            raise ConfigError(
                f"{len(best)} of the photographs wake {layer}:{channel}, too few to compare with; give more"
            )
        random = np.random.default_rng((self._seed, channel))
        rest = np.setdiff1d(observed.seen.taken_at[:, 0], best)
        if not len(rest):
            raise ConfigError("there are no other photographs to compare the best ones with; give more")
        others = random.choice(rest, min(KEPT, len(rest)), replace=False)
        mine = _middle(dream, observed.side, network.min_size([layer]))
        theirs, foreign = ([self._square(observed, number) for number in of] for of in (best, others))
        noise = [noise_like(mine, random) for _ in range(KEPT)]
        layers = _up_to(network, layer)
        look = self._look(network, layers)
        seen = [[look(pixels[None]) for pixels in of] for of in ([mine], theirs, foreign)]
        return Examination(
            name=str(dream),
            layer=layer,
            channel=channel,
            dream=_reached(seen[0], channel),
            photographs=_reached(seen[1], channel),
            best=len(best),
            noise=_reached([look(pixels[None]) for pixels in noise], channel),
            layers=_similarities(layers, *seen),
            elsewhere=self._elsewhere(mine, theirs, foreign),
        )

    def _look(self, network: Network, layers: Sequence[str]) -> _Look:
        """The function to the activations of layers, made once for all dreams."""
        key = id(network), tuple(layers)
        if key not in self._looks:
            self._looks[key] = network.activations(layers)
        return self._looks[key]

    def _of(self, layer: str) -> Observations:
        if layer not in self._observed:
            self._observed[layer] = observe(
                self._spec, self._network, layer, self._photographs,
                on_picture=self._on_picture, executor=self._executor,
            )  # fmt: skip
        return self._observed[layer]

    def _square(self, observed: Observations, number: int) -> NDArray[np.float32]:
        return opened(observed.photographs[number], observed.side)

    def _elsewhere(
        self,
        mine: NDArray[np.float32],
        theirs: Sequence[NDArray[np.float32]],
        foreign: Sequence[NDArray[np.float32]],
    ) -> tuple[LayerSimilarity, ...]:
        if self._other is None:
            return ()
        layers = main_layers(self._other)
        side = self._other.min_size(layers)
        look = self._look(self._other, layers)
        seen = [[look(_at_least(side, each)[None]) for each in of] for of in ([mine], theirs, foreign)]
        return _similarities(layers, *seen)


def _middle(dream: PathLike, side: int, least: int) -> NDArray[np.float32]:
    """The middle of a dream, at most `side` pixels high and wide, not resized.

    Raises:
        ImageError: it cannot be read.
        ConfigError: it is smaller than `least`.
    """
    picture = open_picture(dream, DreamConfig(max_size=None))
    assert picture is not None
    height, width = picture.pixels.shape[:2]
    if min(height, width) < least:
        raise ConfigError(f"{shown(str(dream))} has {width} x {height} pixels, fewer than the {least} needed")
    top, left = (max(0, (length - side) // 2) for length in (height, width))
    return picture.pixels[top : top + side, left : left + side, :3].astype(np.float32)


def _at_least(side: int, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """`pixels`, enlarged where a side is shorter than `side`."""
    height, width, _ = pixels.shape
    factor = side / min(height, width)
    return pixels if factor <= 1 else resize(pixels, (round(factor * height), round(factor * width)))


def _reached(seen: Sequence[_Maps], channel: int) -> Reached:
    """What a channel of the last layer reaches in pictures."""
    maps = [each[-1][0, ..., channel] for each in seen]
    return Reached(
        float(np.mean([each.mean() for each in maps])), float(np.mean([each.max() for each in maps]))
    )


def _up_to(network: Network, layer: str) -> list[str]:
    """The main layers from the picture to `layer`, which is the last."""
    end = network.layers.index(layer)
    return [each for each in main_layers(network) if network.layers.index(each) < end] + [layer]


def _similarities(
    layers: Sequence[str], mine: Sequence[_Maps], theirs: Sequence[_Maps], foreign: Sequence[_Maps]
) -> tuple[LayerSimilarity, ...]:
    """Of one dream, the best photographs and others, layer by layer."""

    def features(seen: Sequence[_Maps], number: int) -> NDArray[np.float32]:
        """Of one layer, `(pictures, channels)`."""
        return np.stack([maps[number][0].mean((0, 1)) for maps in seen])

    return tuple(
        similarity(layer, features(mine, number)[0], features(theirs, number), features(foreign, number))
        for number, layer in enumerate(layers)
    )
