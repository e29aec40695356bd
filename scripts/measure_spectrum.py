"""The magnitude of natural pictures' spectrum, for `--space maco`: means over photographs, by frequency.

    python scripts/measure_spectrum.py $DREAMKIT_TEST_DATA/photos

Of each photograph, the middle square is taken to decorrelated colours, and `|fft2|` under a Hann window
(which keeps its edges out of it) is averaged over directions in rings of frequency. What is written are
three curves, for each colour how far the mean of a photograph lies from that of all, and the contrast:
the median deviation of decorrelated colours, before a sigmoid that is as steep everywhere as at grey.
Nothing of a photograph can be told from them. The file in the package was made so.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dreamkit.engine.color import MIXING

OUT = Path(__file__).parents[1] / "dreamkit" / "engine" / "natural_spectrum.json"
RINGS = 24  # evenly spaced on a logarithmic scale
SLOWEST, FASTEST = 1 / 100, np.sqrt(0.5)  # cycles per pixel
SLOPE = 1 / 4  # of a sigmoid at grey
LEAST = 256  # pixels on the shorter side of a photograph that counts


def middle(path: Path) -> NDArray[np.float64] | None:
    """A photograph's middle square, `(side, side, 3)`, 0 to 255; None if it is too small."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"), np.float64)
    height, width, _ = pixels.shape
    side = min(height, width)
    if side < LEAST:
        return None
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def rings(plane: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The sum of magnitudes in each ring, and the number of frequencies there, `(2, rings)`.

    Magnitudes are for a picture of one pixel: that of a square is them times its side.
    """
    side = len(plane)
    window = np.outer(np.hanning(side), np.hanning(side))
    seen = (plane - (plane * window).sum() / window.sum()) * window
    magnitude = np.abs(np.fft.fft2(seen)) / np.sqrt((window**2).sum())
    frequency = np.hypot(np.fft.fftfreq(side)[:, np.newaxis], np.fft.fftfreq(side))
    ring = np.digitize(frequency.ravel(), edges) - 1
    inside = (ring >= 0) & (ring < len(edges) - 1)
    count = len(edges) - 1
    sums = np.bincount(ring[inside], magnitude.ravel()[inside], count)
    return np.stack([sums, np.bincount(ring[inside], minlength=count)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", type=Path, help="a folder")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--every", type=int, default=1, help="take each of so many photographs")
    given = parser.parse_args()
    edges = np.geomspace(SLOWEST, FASTEST, RINGS + 1)
    decorrelating = np.linalg.inv(MIXING).T
    found, means, contrasts = [], [], []
    for path in sorted(given.photographs.glob("*.jpg"))[:: given.every]:
        square = middle(path)
        if square is not None:
            three = np.moveaxis(square / 255 @ decorrelating, -1, 0)
            found.append([rings(plane, edges) for plane in three])
            means.append(three.mean((1, 2)))
            contrasts.append(three.std() / SLOPE)
    totals = np.sum(found, axis=0)
    magnitudes = totals[:, 0] / totals[:, 1]
    away = np.abs(np.array(means) - np.mean(means, axis=0)).mean(0)
    table = {
        "photographs": len(found),
        "frequencies": [float(f"{each:.4g}") for each in np.sqrt(edges[:-1] * edges[1:])],
        "magnitudes": [[float(f"{each:.4g}") for each in curve] for curve in magnitudes],
        "contrast": float(f"{np.median(contrasts):.4g}"),
        "means": [float(f"{each:.4g}") for each in away],
    }
    given.out.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found)} photographs; lightness {magnitudes[0][0]:.3g} to {magnitudes[0][-1]:.3g}")


if __name__ == "__main__":
    main()
