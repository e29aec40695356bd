"""`dreamkit compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.output_options import refuse_pictures
from dreamkit.errors import shown
from dreamkit.option_table import describe

if TYPE_CHECKING:
    from dreamkit.jobs.compare import Comparison

_HASH = 12  # digits of a hash in the table; --json has all


def compare(
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Two pictures or more.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="PATH", help="Where to write. Default: compare.png here."),
    ] = None,
    height: Annotated[
        int | None, typer.Option("--height", help="Of each picture in pixels, 16 to 4096. Default: 320.")
    ] = None,
    max_pixels: Annotated[
        int | None,
        typer.Option("--max-pixels", help=describe("max_pixels"), show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an existing file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The differences as JSON, for programs.")] = False,
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Say nothing but errors, warnings and --json.")
    ] = False,
) -> None:
    """Put pictures side by side, and show where their recipes differ.

    dreamkit compare a.png b.png
    """
    from dreamkit.jobs import compare
    from dreamkit.media import atomic, image_writer

    found = compare.compare(pictures)
    path = output or (Path("compare.png") if overwrite else atomic.free_path("compare"))
    image_writer.check_output(path, overwrite=overwrite)
    refuse_pictures(path, pictures)
    pixels = compare.side_by_side(
        pictures,
        height=compare.HEIGHT if height is None else height,
        max_pixels=config.default("max_pixels") if max_pixels is None else max_pixels,
    )
    image_writer.write(path, pixels, overwrite=overwrite)
    if as_json:
        differences = [{"key": key, "values": values} for key, values in found.differences.items()]
        carries = [recipe is not None for recipe in found.recipes]
        _echo_json({"pictures": pictures, "recipes": carries, "differences": differences})
    elif not quiet:
        _show(found)
    if not quiet:
        terminal.say(f"wrote {path} ({pixels.shape[1]} x {pixels.shape[0]})", err=True)


def _show(found: Comparison) -> None:
    """The table of what differs, and a line for what cannot be compared."""
    if found.differences:
        rows = [(key, *(_cell(key, value) for value in values)) for key, values in found.differences.items()]
        terminal.table(rows, ("", *map(shown, found.names)))
    elif sum(recipe is not None for recipe in found.recipes) > 1:
        terminal.say("the recipes are the same")
    for name, recipe in zip(found.names, found.recipes, strict=True):
        if recipe is None:
            terminal.say(f"{shown(name)} carries no recipe")


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:_HASH] if key.endswith("sha256") and text.isalnum() else shown(text, 200)


def _echo_json(value: object) -> None:
    terminal.say(json.dumps(value, indent=2))
