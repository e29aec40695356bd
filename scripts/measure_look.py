"""What dreams look like, in figures: unnatural colours, and speckle, of the options before and now.

    python scripts/measure_look.py colours docs/pictures/*.jpg --model pocket --sheet colours.jpg
    python scripts/measure_look.py depths docs/pictures/rocket.jpg --model inception5h --sheet depths.jpg

`colours` dreams each photograph with free colour and with the default amount, and counts the pixels that are
magenta or acid green. `depths` dreams one photograph at every join layer, with and without what dreamkit
chooses by the layer's stride and by the sign of the weights, and tells how much of the change is speckle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
import typer
from PIL import Image

import dreamkit
from dreamkit.config import STEPS
from dreamkit.errors import DreamkitError
from dreamkit.media import contact_sheet, image_sizes, images

Array = npt.NDArray[Any]

BEFORE: dict[str, Any] = {"color": "free", "smooth_width": 0.5, "tv": 0.0, "steps": STEPS}  # at every depth
MAGENTA, ACID_GREEN = (310, 350), (105, 150)  # degrees of hue in OKLab
TINTED = 0.05  # chroma in OKLab from which a tint shows; the purest magenta of sRGB has 0.32
FINE = 0.25  # cycles a pixel: detail of less than four pixels

app = typer.Typer(add_completion=False)
Model = Annotated[str, typer.Option(help="the network")]
Weights = Annotated[Path | None, typer.Option(help="its weights file")]
Sheet = Annotated[Path | None, typer.Option(help="a contact sheet to write")]
Size = Annotated[int, typer.Option(min=75, help="longest side of a picture")]


def oklab(pixels: Array) -> Array:
    """sRGB 0 to 255 in OKLab (Ottosson 2020, https://bottosson.github.io/posts/oklab)."""
    coded = pixels[..., :3] / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    found: Array = np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    return found


def unnatural(pixels: Array) -> float:
    """The part of a picture's pixels that are tinted magenta or acid green."""
    _, a, b = np.moveaxis(oklab(pixels), -1, 0)
    hue = np.degrees(np.arctan2(b, a)) % 360
    hit = [(low <= hue) & (hue <= high) for low, high in (MAGENTA, ACID_GREEN)]
    return float(np.mean((np.hypot(a, b) > TINTED) & (hit[0] | hit[1])))


def spectrum(dreamed: Array, photograph: Array) -> tuple[float, float]:
    """Of the change in OKLab, lightness and colour together: its speckle, and the slope of its spectrum.

    Speckle is the part of its power in detail of less than four pixels. The slope is that of log power over
    log frequency, from 1/64 to 1/2 cycles a pixel; photographs have -2.
    """
    change = oklab(dreamed) - oklab(photograph)
    shape = change.shape[:2]
    window = np.outer(*(np.hanning(side) for side in shape))[..., None]
    waves = np.fft.fft2((change - change.mean((0, 1))) * window, axes=(0, 1))
    power = np.sum(np.abs(waves) ** 2, -1)
    down, right = (np.fft.fftfreq(side) for side in shape)
    frequency = np.hypot(down[:, None], right)
    edges = np.geomspace(1 / 64, 1 / 2, 11)
    bands = [(low <= frequency) & (frequency < high) for low, high in pairwise(edges)]
    logs = np.log([power[band].mean() for band in bands])
    slope = np.polyfit(np.log(np.sqrt(edges[:-1] * edges[1:])), logs, 1)[0]
    return float(power[frequency > FINE].sum() / power.sum()), float(slope)


def written(sheet: Path | None, cells: Sequence[contact_sheet.Cell], columns: int) -> None:
    """The pictures as one JPEG, where that was asked for."""
    if sheet is not None:
        Image.fromarray(contact_sheet.draw(cells, columns)).save(sheet, quality=88)


def shown(path: Path, max_size: int) -> Array:
    """A photograph, no larger than `max_size`."""
    return image_sizes.shrink(images.read(path, 10**9), max_size).pixels


@app.command()
def colours(
    photographs: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False)],
    model: Model = "pocket",
    weights: Weights = None,
    sheet: Sheet = None,
    max_size: Size = 240,
) -> None:
    """The share of magenta and acid green pixels with free colour and with the default amount."""
    network = dreamkit.load(model, weights)
    print(f"| {model} | photograph | free | default |", "|---|---|---|---|", sep="\n")
    cells, rows = [], []
    for path in photographs:
        photograph = shown(path, max_size)
        free = dreamkit.dream(photograph, network, color="free")
        default = dreamkit.dream(photograph, network)
        cells += [
            contact_sheet.Cell(pixels, caption)
            for pixels, caption in ((photograph, path.stem), (free, "free"), (default, "default"))
        ]
        rows.append([100 * unnatural(each) for each in (photograph, free, default)])
        print(f"| {path.stem} |", " | ".join(f"{share:.2f} %" for share in rows[-1]), "|", flush=True)
    print("| **mean** |", " | ".join(f"{share:.2f} %" for share in np.mean(rows, 0)), "|")
    written(sheet, cells, 6)


def at_depths(
    network: Any, photograph: Array, layers: Sequence[str], weight: float
) -> Iterator[tuple[str, Array, Array]]:
    """Each layer, dreamed as before and by defaults."""
    for layer in layers:
        of: dict[str, Any] = {"layers": {layer: weight}}
        before, now = (dreamkit.dream(photograph, network, **of, **each) for each in (BEFORE, {}))
        yield layer, before, now


@app.command()
def depths(
    photograph: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    model: Model = "pocket",
    weights: Weights = None,
    layer: Annotated[list[str] | None, typer.Option(help="default: every join")] = None,
    weight: Annotated[float, typer.Option(help="of the layer; negative to see less of it")] = 1.0,
    sheet: Sheet = None,
    max_size: Size = 320,
) -> None:
    """How much of the change is speckle, and the slope of its spectrum, layer by layer."""
    network = dreamkit.load(model, weights)
    pixels = shown(photograph, max_size)
    print(f"| {model} | speckle before | now | slope before | now |", "|---|---|---|---|---|", sep="\n")
    cells = []
    for each, *pictures in at_depths(network, pixels, layer or network.probe.joins, weight):
        (speckle, slope), (less, steeper) = (spectrum(picture, pixels) for picture in pictures)
        print(f"| {each} | {speckle:.3f} | {less:.3f} | {slope:.1f} | {steeper:.1f} |", flush=True)
        cells += [
            contact_sheet.Cell(picture, f"{each}, {when}")
            for picture, when in zip(pictures, ("before", "now"), strict=True)
        ]
    written(sheet, cells, 4)


if __name__ == "__main__":
    try:
        app()
    except DreamkitError as error:
        raise SystemExit(f"error: {error}") from None
