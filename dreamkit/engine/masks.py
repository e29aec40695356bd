"""Masks, which limit where a dream happens. They are soft at their edges and zero outside."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from dreamkit.engine.resize import Pixels, resize
from dreamkit.media.image_sizes import pad_wrapped
from dreamkit.option_values import Wrapped

Mask = NDArray[np.float32]

_BLURRED = 4  # radii of Pillow's Gaussian blur, beyond which its weights are zero
_SOFTNESS = 64  # a mask's edge is soft over about 1 / 64 of the picture's shorter side


def soften(mask: NDArray[np.uint8], wrapped: Wrapped = (False, False)) -> Mask:
    """Strengths 0 to 1, `(height, width)`, from a mask's grey levels, with soft edges towards black.

    With `B` a Gaussian blur of `shorter side / 64` pixels and `s` one where the mask is not black:
    `mask / 255 * max(0, 2 B(s) - 1)`. So black stays zero, and a hard edge becomes soft on its inner side.
    Along a wrapped axis, the other side of the mask lies beyond an edge.
    """
    strengths = mask.astype(np.float32) / np.float32(255)
    strengths *= inside(mask > 0, wrapped)
    return strengths


def blend(
    photo: NDArray[np.uint8], pixels: Pixels, masks: Iterable[Mask], wrapped: Wrapped = (False, False)
) -> None:
    """Restores the photograph, in place, where all `masks` are zero, with soft edges."""
    anywhere = np.zeros(photo.shape[:2], bool)
    for mask in masks:
        anywhere |= mask > 0
    share = inside(anywhere, wrapped)
    for colour in range(3):
        plane = photo[..., colour].astype(np.float32)
        pixels[..., colour] = plane + share * (pixels[..., colour] - plane)


def resized(mask: Mask, size: tuple[int, int], wrapped: Wrapped = (False, False)) -> Mask:
    """The mask at the size of an octave, `(height, width, 1)`."""
    return mask[..., None] if mask.shape == size else resize(mask[..., None], size, wrapped=wrapped)


def inside(support: NDArray[np.bool_], wrapped: Wrapped) -> Mask:
    """A weight that is one well inside `support`, and zero at its edge and outside."""
    if support.all():
        return np.ones(support.shape, np.float32)
    radius = max(1.0, min(support.shape) / _SOFTNESS)
    top, left = (math.ceil(_BLURRED * radius) if wraps else 0 for wraps in wrapped)
    whole = pad_wrapped(support.astype(np.uint8) * np.uint8(255), (top, left))
    blurred = Image.fromarray(whole).filter(ImageFilter.GaussianBlur(radius))
    inside = np.asarray(blurred, np.float32) / np.float32(127.5) - np.float32(1)
    inside = inside[top : top + support.shape[0], left : left + support.shape[1]]
    return np.asarray(np.where(support, np.clip(inside, 0, 1), 0), np.float32)
