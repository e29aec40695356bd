"""Gradient ascent: the steps of one octave after another."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamkit.config import DreamConfig
from dreamkit.engine import (
    color,
    depth,
    drawn_transforms,
    importance,
    interrupts,
    masks,
    octaves,
    plan,
    updates,
)
from dreamkit.engine.drawn_transforms import DrawnTransforms
from dreamkit.engine.masked_objective import GradientStats, MaskedObjective
from dreamkit.engine.objective_set import ObjectiveSet
from dreamkit.engine.profile import OFF, Unmeasured
from dreamkit.engine.progress import DreamState, StepEvent
from dreamkit.engine.resize import Pixels, resize
from dreamkit.engine.updates import GradientContext, smoothing
from dreamkit.errors import DreamkitWarning, NetworkMemoryError
from dreamkit.plugins import registry
from dreamkit.plugins.parts import Variables


class _Objective(NamedTuple):
    """An objective of the octave, with its mask at the octave's size."""

    objective: MaskedObjective
    region: masks.Mask | None


class Ascent:
    """The steps of all octaves of a dream, and the progress that is carried between them.

    Attributes:
        state: after the last whole step; None while pixels change.
        tile_size: longest side of the tiles, in pixels; it shrinks where memory runs out.
    """

    def __init__(
        self,
        objectives: ObjectiveSet,
        config: DreamConfig,
        photo: NDArray[np.uint8],
        run: Sequence[octaves.Octave],
        on_step: Callable[[StepEvent], None] | None,
        tile_size: int,
        profile: Unmeasured = OFF,
    ) -> None:
        self.state: DreamState | None = None
        self._profile = profile
        self.tile_size = tile_size
        self._objectives, self._config, self._photo = objectives, config, photo
        self._run, self._on_step = list(run), on_step
        self._gradient_updates = updates.gradient_updates(config)
        self._regularisers = updates.regularisation(config, objectives.all_negative)
        self._needs_photo = objectives.compares or any(
            each.part.needs_photograph for each in self._regularisers
        )
        self._transforms = drawn_transforms.chosen(config)
        self._parametrisation = registry.installed(registry.PARAMETRISATIONS).get(config.space)
        self._hold = color.hold_share(config.color)
        self._spread = color.spread(photo) if self._hold else None
        self._importance: Pixels | None = None
        self._wants_importance = config.alpha == "importance"
        self._first: float | None = None
        self._has_gradient: bool | None = None  # whether any step had one; None before the first
        self._work = sum(map(self._work_of, self._run))
        self._done = 0

    def climb(self, pixels: Pixels, octave: octaves.Octave, start: DreamState | None = None) -> None:
        """Takes the steps of `octave` on `pixels`, in place: all, or those that `start` has not taken."""
        config = self._config.at(octave.number)
        steps = self._objectives.steps(octave)
        objectives = [self._on_octave(each, octave) for each in self._objectives.of_octave(octave.number)]
        photo = resize(self._photo, octave.size, wrapped=config.wrapped) if self._needs_photo else None
        variables = self._variables(pixels, config, start)
        if self._wants_importance:
            before = start.importance if start else self._importance
            self._importance = importance.resized(before, octave.size, config.wrapped)
        taken = self._begin(pixels, octave, steps, start)
        update = np.empty_like(pixels)
        spare = np.empty_like(pixels) if len(objectives) > 1 else update
        for step in self._profile.steps(range(taken, steps)):
            balanced = weighted = None
            while balanced is None or weighted is None:  # where memory runs out, again with smaller tiles
                try:
                    balanced, weighted = self._update(
                        pixels, octave, (step, steps), objectives, (update, spare), photo
                    )
                except (NetworkMemoryError, MemoryError) as error:
                    if not self._objectives.one_by_one():
                        self._halve_tiles(error)
            pulled = None if self._importance is None else importance.sizes(update)
            for regularise in self._regularisers:
                regularise(update, pixels, photo)
            ends = config.max_objective is not None and weighted > config.max_objective
            last = step + 1 if ends else steps
            with interrupts.deferred():
                if self._importance is not None and pulled is not None:
                    self._importance += pulled
                with registry.blamed(registry.PARAMETRISATIONS, self._parametrisation):
                    variables.step(pixels, update, config.strength * config.step_size)
                if self._spread is not None:
                    color.hold(pixels, self._spread, self._hold)
                self._record(pixels, octave, step, last, balanced, variables)
            self._report(pixels, octave, step, last, balanced)
            if ends:
                break

    def alpha(self, size: tuple[int, int]) -> NDArray[np.uint8] | None:
        """Where pixels mattered, `(height, width)`, at `size`; None unless it is asked for."""
        if self._importance is None:
            return None
        return importance.alpha(importance.resized(self._importance, size, self._config.wrapped))

    def warn_if_still(self) -> None:
        """Warns where every step's gradient was zero, so that nothing was dreamed."""
        if self._has_gradient is False:
            warnings.warn(self._why_still(), DreamkitWarning, stacklevel=4)

    def _why_still(self) -> str:
        if self._objectives.masks and not any(mask.any() for mask in self._objectives.masks):
            return (
                "the mask is black everywhere, or too small for its soft edges, so nothing was dreamed; "
                "paint more of it white"
            )
        names = sorted({name for layers in self._objectives.layers for name in layers})
        wakes = "" if self._config.objective == "mean" else "--objective mean with "
        wakes += "--redirected-relu 16, "
        if self._config.redirected_relu or self._objectives.all_negative:
            wakes = ""
        return (
            "the gradient was zero at every step, so nothing was dreamed: nothing in the picture activates "
            f"{', '.join(names)}; try {wakes}another layer or another picture"
        )

    def _on_octave(self, objective: MaskedObjective, octave: octaves.Octave) -> _Objective:
        mask = self._objectives.mask(objective)
        region = None if mask is None else masks.resized(mask, octave.size, self._config.wrapped)
        return _Objective(objective, region)

    def _begin(self, pixels: Pixels, octave: octaves.Octave, steps: int, start: DreamState | None) -> int:
        """Takes over `start`, or sets the state at the octave's beginning; returns the steps taken."""
        if start is None:  # the new state also lets go of the smaller octave's pixels
            number, balance = self._run.index(octave), self._objectives.balance()
            self.state = DreamState(
                number,
                0,
                False,
                self.tile_size,
                self._first,
                pixels,
                balance=balance,
                importance=self._importance,
            )
            return 0
        self._first = start.first
        self._objectives.restore_balance(start.balance)
        taken = steps if start.over else start.step
        self._done = self._work_before(octave) + math.prod(octave.size) * taken
        return taken

    def _update(
        self,
        pixels: Pixels,
        octave: octaves.Octave,
        step: tuple[int, int],
        objectives: Sequence[_Objective],
        out: tuple[Pixels, Pixels],
        photo: Pixels | None,
    ) -> tuple[float, float]:
        """Writes the direction of a step to the first of `out`; the second is room for another objective's.

        `photo` is the photograph at the octave's size, where an objective compares with it. `step` is which
        step, from 0, of how many. Returns the sum of all objectives with balanced weights, and with the
        weights as given.
        """
        config = self._config.at(octave.number)
        update, spare = out
        seen_size = drawn_transforms.seen_size(config, octave.size)
        reaches = [each.objective.cover(seen_size, self.tile_size).reach for each in objectives]
        reach = max(along[0] for along in reaches), max(along[1] for along in reaches)
        views = [
            DrawnTransforms(self._transforms, config, octave.size, octave.number, step[0], reach, view)
            for view in range(config.views)
        ]
        seen = views[0].apply(pixels) if len(views) == 1 else None
        balanced = weighted = 0.0
        for number, (objective, region) in enumerate(objectives):
            gradient = spare if number else update
            blurs = self._blurs(objective)
            redirected = step[0] < config.redirected_relu
            stats = self._mean_gradient(objective, pixels, seen, views, region, gradient, photo, redirected)
            context = GradientContext(*step, views[0].roll, stats.coverage, blurs)
            for shape in self._gradient_updates:
                shape(gradient, context)
            _weigh(gradient, objective.strength, region)
            if number:
                update += gradient
            balanced, weighted = balanced + stats.balanced, weighted + stats.weighted
        self._has_gradient = self._has_gradient or bool(update.any())
        return balanced, weighted

    def _mean_gradient(
        self,
        objective: MaskedObjective,
        pixels: Pixels,
        seen: Pixels | None,
        views: Sequence[DrawnTransforms],
        region: masks.Mask | None,
        out: Pixels,
        photo: Pixels | None,
        redirected: bool,
    ) -> GradientStats:
        """Writes the mean over views of an objective's gradient to `out`; `seen` is the one view or None."""
        config = self._config
        margin = smoothing.REACH * self._blurs(objective) if config.smooth == "gaussian" else 0
        found = []
        for number, drawn in enumerate(views):
            view = drawn.apply(pixels) if seen is None else seen
            gradient = out if number == 0 and view.shape == out.shape else np.empty_like(view)
            # Where nothing is dreamed, nothing is computed, unless what is there comes to matter elsewhere.
            local = not drawn and config.smooth != "laplacian"
            where = region if local else None
            found.append(
                objective.gradient(
                    view,
                    drawn.roll,
                    gradient,
                    self.tile_size,
                    where=where,
                    margin=margin,
                    photo=drawn.apply(photo) if objective.compares and photo is not None else None,
                    redirected=redirected,
                )
            )
            back = drawn.adjoint(gradient)
            if number:
                out += back
            elif back is not out:
                out[:] = back
        if len(found) == 1:
            return found[0]
        out /= np.float32(len(found))
        return GradientStats(*(float(each) for each in np.mean(found, axis=0)))

    def _blurs(self, objective: MaskedObjective) -> int:
        return depth.blurs(objective.stride) if self._config.smooth_width is None else 1

    def _variables(self, pixels: Pixels, config: DreamConfig, start: DreamState | None) -> Variables:
        part = self._parametrisation
        options = part.values(config.part_options(part.name))
        with registry.blamed(registry.PARAMETRISATIONS, part):
            variables: Variables = part.make(pixels, config, start.variables if start else {}, **options)
        return variables

    def _halve_tiles(self, error: NetworkMemoryError | MemoryError) -> None:
        smaller = plan.smaller_tile(self.tile_size, self._objectives.min_size)
        if smaller is None:
            raise NetworkMemoryError(
                f"too little memory, even for tiles of {self.tile_size} pixels; close other programs, or "
                "shrink the picture with --max-size"
            ) from error
        warnings.warn(
            f"too little memory for tiles of {self.tile_size} pixels; the dream continues with {smaller}",
            DreamkitWarning,
            stacklevel=5,
        )
        self.tile_size = smaller

    def _work_of(self, octave: octaves.Octave) -> int:
        return math.prod(octave.size) * self._objectives.steps(octave)

    def _work_before(self, octave: octaves.Octave) -> int:
        return sum(map(self._work_of, self._run[: self._run.index(octave)]))

    def _record(
        self,
        pixels: Pixels,
        octave: octaves.Octave,
        step: int,
        steps: int,
        objective: float,
        variables: Variables,
    ) -> None:
        """Sets the state after a step."""
        if self._first is None:
            self._first = abs(objective) or 1.0
        number, over = self._run.index(octave), step + 1 == steps
        balance = self._objectives.balance()
        with registry.blamed(registry.PARAMETRISATIONS, self._parametrisation):
            arrays = variables.arrays()
        self.state = DreamState(
            number,
            step + 1,
            over,
            self.tile_size,
            self._first,
            pixels,
            arrays,
            balance,
            self._importance,
        )

    def _report(
        self, pixels: Pixels, octave: octaves.Octave, step: int, steps: int, objective: float
    ) -> None:
        """Passes the event of a step to `on_step`."""
        assert self._first is not None
        assert self.state is not None
        self._done += math.prod(octave.size)
        if step + 1 == steps:  # which may be sooner than was planned
            self._done = self._work_before(octave) + self._work_of(octave)
        if self._on_step is None:
            return
        self._on_step(
            StepEvent(
                octave=self._run.index(octave) + 1,
                octaves=len(self._run),
                step=step + 1,
                steps=steps,
                size=octave.size,
                objective=objective / self._first,
                done=self._done / self._work,
                pixels=pixels,
                state=self.state,
            )
        )


def _weigh(gradient: Pixels, strength: float, region: masks.Mask | None) -> None:
    """Multiplies a gradient by the strength of its objective, and by its mask."""
    if region is not None:
        gradient *= np.float32(strength) * region
    elif strength != 1.0:  # as it is where one network dreams everywhere
        gradient *= np.float32(strength)
