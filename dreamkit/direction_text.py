"""Directions as text, in files and recipes: float16 numbers, the low byte first, in base64."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_NUMBERS = "<f2"  # 11 bits are more than a picture can show
_BYTES = 2  # of a number
_LARGEST = 16.0  # of a direction's numbers; those that dreamkit learns go to 1
_MOST = 65_536  # numbers of one direction


def encoded(weights: NDArray[np.float32]) -> str:
    """A direction, float32 `(channels,)`, as text."""
    return half_text(weights)


def half_text(values: NDArray[np.floating[Any]]) -> str:
    """Any numbers as such a text."""
    import numpy as np

    return base64.b64encode(np.asarray(values, np.float32).astype(_NUMBERS).tobytes()).decode()


def decoded(text: Any) -> NDArray[np.float32]:
    """The direction that `encoded` wrote.

    Raises:
        ValueError: it is no such text, or its numbers make no sense.
    """
    import numpy as np

    weights = np.frombuffer(_data(text), _NUMBERS).astype(np.float32)
    if not np.isfinite(weights).all() or not 0 < np.abs(weights).max() <= _LARGEST:
        raise ValueError("a direction in it has numbers that no direction has")
    return weights


def checked(text: Any) -> str:
    """`text`, if `decoded` takes it.

    Raises:
        ValueError: it is no direction.
    """
    decoded(text)
    return str(text)


def rounded(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """A direction with the numbers that its text has."""
    return decoded(encoded(weights))


def _data(text: Any) -> bytes:
    if not isinstance(text, str) or len(text) > _MOST * _BYTES * 4 // 3 + 4:
        raise ValueError("a direction in it is damaged")
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("a direction in it is damaged") from error
    if not data or len(data) % _BYTES:
        raise ValueError("a direction in it is damaged")
    return data
