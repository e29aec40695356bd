"""Frames of HDR films and of wide colour (BT.2020), brought to the brightness and colours of BT.709.

Light is counted in units of white, 203 cd/m² (BT.2408). Half of white and less stays as it is; what is
brighter approaches white: `1 - exp(1 - 2 x) / 2` of `x`. All three colours of a pixel are divided by the same
number, that of its brightest, so that no hue changes. Colours beyond BT.709 become its most saturated ones.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

PQ, HLG = 16, 18  # transfer characteristics, as ITU-T H.273 numbers them
_BT2020 = 9  # primaries
_WHITE = 203.0  # cd/m²
_HLG_PEAK, _HLG_GAMMA = 1000.0, 1.2  # of the display that HLG is shown on
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # BT.2087
_GAMMA = np.float32(2.4)  # BT.1886
_KEPT = np.float32(0.5)
_ROWS = 128  # that are converted at once


def is_needed(transfer: int | None, primaries: int | None) -> bool:
    """Whether a frame of these characteristics needs `to_sdr`."""
    return transfer in (PQ, HLG) or primaries == _BT2020


def to_sdr(pixels: NDArray[np.uint16], transfer: int | None, primaries: int | None) -> NDArray[np.uint8]:
    """RGB of 16 bits, as it is transferred, `(height, width, 3)`, as RGB of BT.709 in 8 bits."""
    made = np.empty(pixels.shape, np.uint8)
    light = _light(transfer)
    for top in range(0, len(pixels), _ROWS):
        part = light[pixels[top : top + _ROWS]]
        if transfer == HLG:
            part *= np.float32(_HLG_PEAK / _WHITE) * (part @ _LUMINANCE)[..., None] ** np.float32(
                _HLG_GAMMA - 1
            )
        if primaries == _BT2020:
            part = np.maximum(part @ _TO_BT709.T, 0)
        if transfer in (PQ, HLG):
            part *= _compression(part.max(-1, keepdims=True))
        made[top : top + _ROWS] = np.rint(255 * np.clip(part, 0, 1) ** (1 / _GAMMA))
    return made


def _compression(brightest: Pixels) -> Pixels:
    """What a pixel is multiplied by, from the brightest of its colours."""
    above = np.maximum(brightest, _KEPT)
    return np.asarray((1 - np.exp(1 - 2 * above) / 2) / above, np.float32)


@cache
def _light(transfer: int | None) -> Pixels:
    """The light of each of the 65,536 values of a colour: in units of white, but for HLG, whose light also
    depends on the other colours, of the scene, 0 to 1."""
    values = np.arange(1 << 16) / ((1 << 16) - 1)
    if transfer == PQ:
        return _pq(values).astype(np.float32)
    if transfer == HLG:
        return _hlg(values).astype(np.float32)
    return np.power(values, _GAMMA).astype(np.float32)


def _pq(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084."""
    root = values ** (32 / 2523)
    light = np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)
    return np.asarray(10_000 / _WHITE * light ** (8192 / 1305))


def _hlg(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """ARIB STD-B67, BT.2100."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
