"""Where pixels mattered: the sum of gradients' sizes over a dream, as transparency (Fel et al., MaCo, 2023).

What no step pulled at is what the objective does not care about; it fades out of the picture.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dreamkit.engine.resize import Pixels, resize
from dreamkit.option_values import Wrapped

_MOST = 80  # percentile of the importances from which on a pixel is opaque


def sizes(update: Pixels) -> Pixels:
    """The mean over colours of the sizes of a step's gradient, `(height, width, 1)`."""
    found = np.zeros((*update.shape[:2], 1), np.float32)
    for colour in range(update.shape[2]):
        found[..., 0] += np.abs(update[..., colour])
    found /= np.float32(update.shape[2])
    return found


def resized(total: Pixels | None, size: tuple[int, int], wrapped: Wrapped) -> Pixels:
    """What was added up so far, at `size` (height, width); zeros for None."""
    if total is None:
        return np.zeros((*size, 1), np.float32)
    return total if total.shape[:2] == size else resize(total, size, wrapped=wrapped)


def alpha(total: Pixels) -> NDArray[np.uint8]:
    """The transparency, `(height, width)`: 255 from the 80th percentile of `total` on, and less below it.

    Where a mask leaves less than a fifth of the picture, it is in proportion to the largest. A picture that
    nothing pulled at is opaque.
    """
    values = total[..., 0]
    most = float(np.percentile(values, _MOST)) or float(values.max())
    if not most:
        return np.full(values.shape, 255, np.uint8)
    return np.asarray(np.rint(np.minimum(values / np.float32(most), 1) * 255), np.uint8)
