"""Optimisers: from gradients to steps, with the moments that they remember. All ascend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_WARMING, _FASTER = 0.5, 0.96  # of Nadam's momentum, as in Keras: it rises from half of its value


class Moments:
    """The running mean of gradients and of their squares, of any shape.

    Attributes:
        first, second: the two means, float32.
        steps: how many gradients they are of.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.first = np.zeros(shape, np.float32)
        self.second = np.zeros(shape, np.float32)
        self.steps = 0

    def add(self, gradient: NDArray[np.float32]) -> None:
        """Adds a gradient to both."""
        self.steps += 1
        self.first *= np.float32(_BETA_1)
        self.first += np.float32(1 - _BETA_1) * gradient
        self.second *= np.float32(_BETA_2)
        self.second += np.float32(1 - _BETA_2) * gradient**2

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All of them by name, for a work file."""
        return {"first": self.first, "second": self.second, "climbed": np.array(self.steps)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Takes over what `arrays` returned."""
        self.first[:], self.second[:] = arrays["first"], arrays["second"]
        self.steps = int(arrays["climbed"])


class Adam(Moments):
    """Kingma and Ba, "Adam: a method for stochastic optimization", 2014."""

    def direction(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Adds `gradient` to the moments; returns the step for step size 1, `m / (sqrt(v) + 1e-8)`."""
        self.add(gradient)
        scale = np.sqrt(self.second / np.float32(1 - _BETA_2**self.steps))
        scale += np.float32(_EPSILON)
        direction: NDArray[np.float32] = self.first / np.float32(1 - _BETA_1**self.steps)
        direction /= scale
        return direction


class Nadam(Moments):
    """Adam with Nesterov's momentum (Dozat, "Incorporating Nesterov momentum into Adam", 2016), as in Keras.

    With `u_t = 0.9 (1 - 0.96**t / 2)` and `U_t` their product so far, the step for step size 1 is
    `(u_(t+1) m / (1 - U_(t+1)) + (1 - u_t) g / (1 - U_t)) / (sqrt(v) + epsilon)`, where `v` is corrected as
    Adam's is. The epsilon is 1e-20, not Keras' 1e-7: the gradient of a mean over places is as small as that,
    and no parameter should stand still for it.
    """

    _EPSILON = 1e-20

    def direction(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Adds `gradient` to the moments; returns the step for step size 1."""
        self.add(gradient)
        so_far = float(np.prod([_momentum(step) for step in range(1, self.steps + 1)]))
        now, after = _momentum(self.steps), _momentum(self.steps + 1)
        direction: NDArray[np.float32] = self.first * np.float32(after / (1 - so_far * after))
        direction += gradient * np.float32((1 - now) / (1 - so_far))
        scale = np.sqrt(self.second / np.float32(1 - _BETA_2**self.steps))
        scale += np.float32(self._EPSILON)
        direction /= scale
        return direction


def _momentum(step: int) -> float:
    """Nadam's momentum at a step, from 1."""
    return _BETA_1 * (1 - _WARMING * _FASTER**step)
