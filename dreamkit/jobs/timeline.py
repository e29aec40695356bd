"""Timelines: the options of a film that change along the way, from one key frame to the next.

A key frame at something that is heard is the end of a timeline of its own, which runs over that signal in
place of time: it begins, at 0, with what holds there otherwise.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from dreamkit.config import DreamConfig, option_names
from dreamkit.errors import ConfigError
from dreamkit.recipes.timeline import EASES, HELD, MOMENT, is_heard

if TYPE_CHECKING:
    from dreamkit.engine.objective_set import LoadedModel

Timeline = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class FilmTimeline:
    """The timeline of a film, frame by frame.

    Attributes:
        key_frames: as `placed` returns them.
        frames: of the film.
        signals: by name, what is heard in each frame, 0 to 1.
        loop: whether the last frame leads to the first.
    """

    key_frames: Timeline
    frames: int
    signals: Mapping[str, Sequence[float]] = field(default_factory=dict)
    loop: bool = False

    def config(self, number: int, config: DreamConfig) -> DreamConfig:
        """The options of a frame, of a request's options."""
        for timeline, share, loop in self._at(number):
            config = config_at(timeline, share, config, loop=loop)
        return config

    def models(self, number: int, models: Sequence[LoadedModel]) -> list[LoadedModel]:
        """The networks of a frame with their layers, of a session's networks."""
        for timeline, share, loop in self._at(number):
            models = models_at(timeline, share, models, loop=loop)
        return _joined(models) if any("layers" in entry for entry in self.heard) else list(models)

    def camera(self, number: int, own: Mapping[str, Any], moves: Timeline = ()) -> dict[str, Any]:
        """How a zoom's camera moves to a frame; `moves` are placed key frames that go before those with a
        moment."""
        found = dict(own)
        for timeline, share, loop in self._at(number, moves):
            found = camera_at(timeline, share, found, loop=loop)
        return found

    @property
    def moments(self) -> Timeline:
        """The key frames that have a moment."""
        return [entry for entry in self.key_frames if not is_heard(entry)]

    @property
    def heard(self) -> Timeline:
        """The key frames at something that is heard."""
        return [entry for entry in self.key_frames if is_heard(entry)]

    def check(self, models: Sequence[LoadedModel], config: DreamConfig) -> None:
        """Checks all key frames before the first frame is dreamed.

        Raises:
            LayerError: one names no layer of its network.
            ConfigError: one moves an option from a value that is not known yet.
        """
        check_layers(self.moments, models, config)
        for entry in self.heard:
            check_layers(_over_signal(entry), models, config)
            for name in entry.keys() & {*option_names()} - {"layers"}:
                if getattr(config, name) is None and not isinstance(entry[name], Mapping):
                    raise ConfigError(
                        f"{name} cannot move with the {entry['at']} from where dreamkit chooses it; set "
                        f"{name} for the film as well"
                    )

    def _at(self, number: int, moves: Timeline = ()) -> Iterator[tuple[Timeline, float, bool]]:
        """The timelines that a frame follows, where it is in each, and whether that one is a loop."""
        yield moves or self.moments, share_of(number, self.frames, loop=self.loop), self.loop
        for entry in self.heard:
            yield _over_signal(entry), self.signals[entry["at"]][number % self.frames], False


def _over_signal(entry: Mapping[str, Any]) -> Timeline:
    """The timeline of a key frame at something that is heard: from silence, at 0, to it, at 1."""
    return ({"at": 0.0, "ease": entry.get("ease", "linear")}, {**entry, "at": 1.0})


def _joined(models: Sequence[LoadedModel]) -> list[LoadedModel]:
    """Networks with their weights, where several have the same layers as one."""
    found: list[LoadedModel] = []
    for model in models:
        for number, other in enumerate(found):
            if other.network is model.network and other.layers == model.layers:
                found[number] = other._replace(weight=other.weight + model.weight)
                break
        else:
            found.append(model)
    return found


def placed(
    timeline: Timeline,
    frames: int,
    seconds: Fraction,
    frame_at: Callable[[Fraction], float],
    *,
    loop: bool = False,
) -> tuple[dict[str, Any], ...]:
    """The key frames in their order, with shares of the film for moments in seconds and in frames. Those at
    something that is heard come last.

    Args:
        timeline: as a recipe has it.
        frames, seconds: of the film.
        frame_at: the frame that is shown at a second; between two frames, a part of one.
        loop: whether the last frame leads to the first.

    Raises:
        ConfigError: a moment lies after the end.
    """

    def share(at: float | str) -> float:
        if not isinstance(at, str):
            return at
        found = MOMENT.fullmatch(at)
        assert found is not None
        second = None if found[1] is None else Fraction(found[1])
        frame = float(found[2]) if second is None else frame_at(second)
        if frame > frames or (second is not None and second > seconds):
            raise ConfigError(
                f'the timeline has at = "{at}", which is after the end: the film has {frames} frames in '
                f"{float(seconds):.3f} seconds; choose an earlier moment, or a share from 0 to 1"
            )
        return share_of(frame, frames, loop=loop)

    entries = [{**entry, "at": share(entry["at"])} for entry in timeline if not is_heard(entry)]
    heard = [dict(entry) for entry in timeline if is_heard(entry)]
    return *sorted(entries, key=lambda each: each["at"]), *heard


def share_of(frame: float, frames: int, *, loop: bool = False) -> float:
    """Where a frame is in a film of so many: 0 for the first, 1 for the last. In a loop, 1 is the first
    again, and frames after the last are those of the next turn."""
    if loop:
        return frame % frames / frames
    return min(1.0, frame / max(1, frames - 1))


def config_at(timeline: Timeline, share: float, config: DreamConfig, *, loop: bool = False) -> DreamConfig:
    """The options at a share of the film, 0 to 1, by a placed timeline; `config` is the recipe's.

    Each option goes its own way through the key frames that have it. One that the first key frame lacks
    begins there as it is in the recipe. In a loop, the last key frame leads to the first.
    """
    names = {name for entry in timeline for name in entry}
    changed = {
        name: between(*_span(timeline, share, name, getattr(config, name), loop=loop), held=name in HELD)
        for name in option_names()
        if name in names and name != "layers"
    }
    return replace(config, **changed) if changed else config


def models_at(
    timeline: Timeline, share: float, models: Sequence[LoadedModel], *, loop: bool = False
) -> list[LoadedModel]:
    """The networks with their layers at a share of the film: those of one key frame fade out while those of
    the next fade in."""
    if not any("layers" in entry for entry in timeline):
        return list(models)
    before, after, faded = _span(timeline, share, "layers", None, loop=loop)
    if before == after:
        faded = 0.0
    return [
        model._replace(weight=model.weight * weight, layers=model.layers if layers is None else layers)
        for model in models
        for weight, layers in ((1 - faded, before), (faded, after))
        if weight
    ]


def check_layers(timeline: Timeline, models: Sequence[LoadedModel], config: DreamConfig) -> None:
    """Checks the layers of all key frames before the first frame is dreamed.

    Raises:
        LayerError: one names no layer of its network.
    """
    from dreamkit.engine import objective_set

    for entry in timeline:
        there = models_at(timeline, entry["at"], models), config_at(timeline, entry["at"], config)
        objective_set.check_layers(*there)


def camera_at(
    timeline: Timeline, share: float, own: Mapping[str, Any], *, loop: bool = False
) -> dict[str, Any]:
    """How a zoom's camera moves at a share of it; `own` is how it moves without a timeline."""
    moves = [
        {"at": entry["at"], "ease": entry.get("ease", "linear"), **entry.get("camera", {})}
        for entry in timeline
    ]
    names = {name for entry in moves for name in entry}
    return {
        name: between(*_span(moves, share, name, value, loop=loop)) if name in names else value
        for name, value in own.items()
    }


def _span(timeline: Timeline, share: float, name: str, own: Any, *, loop: bool) -> tuple[Any, Any, float]:
    """The values of an option at the key frames around `share`, and how far it has come from one to the
    other, 0 to 1."""
    keys = [entry for entry in timeline if name in entry]
    if timeline[0] is not keys[0]:
        keys.insert(0, {**timeline[0], name: own})
    if loop:
        keys = [{**key, "at": key["at"] + turn} for turn in (-1, 0, 1) for key in keys]
    number = bisect_right([key["at"] for key in keys], share)
    before, after = keys[max(0, number - 1)], keys[min(number, len(keys) - 1)]
    if before is after:
        return before[name], before[name], 0.0
    come = (share - before["at"]) / (after["at"] - before["at"])
    return before[name], after[name], EASES[before.get("ease", "linear")](come)


def between(one: Any, other: Any, share: float, *, held: bool = False) -> Any:
    """The value at a share of the way from one to another, 0 to 1.

    Numbers are interpolated, whole ones rounded, also those of lists and of tables; a table may lack a name,
    which counts as 0. Anything else, and what is `held`, stays as it is until the other is reached.
    """
    if share >= 1 or one == other:
        return other
    if held or share <= 0:
        return one
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return tuple(between(*pair, share) for pair in zip(one, other, strict=True))
    if isinstance(one, Mapping) or isinstance(other, Mapping):
        one, other = one or {}, other or {}
        return {name: between(one.get(name, 0.0), other.get(name, 0.0), share) for name in {**one, **other}}
    if not (_is_number(one) and _is_number(other)):
        return one
    reached = one + (other - one) * share
    if isinstance(one, int) and isinstance(other, int):
        return round(reached)
    return min(max(reached, min(one, other)), max(one, other))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
