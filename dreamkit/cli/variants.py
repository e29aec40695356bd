"""`dreamkit variants`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.dream_options import DreamOptions, weights_by_model, with_options
from dreamkit.cli.output_options import Overwrite, Verbose
from dreamkit.errors import ConfigError, Interrupted

if TYPE_CHECKING:
    from dreamkit.jobs.variants import Variant
    from dreamkit.session import Session

Cell = Annotated[
    int | None,
    typer.Option("--cell", help="Longest side of a small dream in pixels, 64 to 1024. Default: 240."),
]


@with_options("classes", "size", "noise", "upscale", "wrap", "tileable", "panorama")
def variants(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="The photograph to dream.")],
    model: Annotated[
        str, typer.Option("-m", "--model", help="The network; `dreamkit models` lists them.")
    ] = config.DEFAULT_MODEL,
    cell: Cell = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="Where to write. Default: IMAGE.variants.png here."
        ),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but the commands.")] = False,
    verbose: Verbose = False,
    **options: Any,
) -> None:
    """Dream nine small variants of a photograph, with the command that makes each one large.

    dreamkit variants photo.jpg
    """
    chosen = DreamOptions(model=[model], **options)
    if isinstance(weights_by_model(chosen.weights), dict):
        raise ConfigError(f"variants are of one network; give {model}'s weights alone")
    with terminal.own_lines_only(verbose=verbose):
        from dreamkit.jobs import variants as sheets

        made = Sheet(image, "variants", output, cell, overwrite=overwrite, quiet=quiet)
        arguments = chosen.arguments()
        given = arguments.get("layers")
        dreamed = made.dream(
            arguments, lambda session, side: sheets.plan(image, session, side, given), len(sheets.STRENGTHS)
        )
    for number, variant in enumerate(dreamed, 1):
        terminal.say(f"{number}  {variant.name}\n   {variant.command}")
    made.tell()


class Sheet:
    """A sheet of small dreams of one photograph, in a file.

    Raises:
        ImageError: it cannot be written there.
        ConfigError: a cell would be too small or too large.
    """

    def __init__(
        self, image: str, kind: str, output: Path | None, cell: int | None, *, overwrite: bool, quiet: bool
    ) -> None:
        from dreamkit.jobs import variants as sheets
        from dreamkit.media import atomic, image_writer

        self._started = time.monotonic()
        self._image, self._kind, self._overwrite, self._quiet = image, kind, overwrite, quiet
        self._side = sheets.CELL if cell is None else cell
        if not 64 <= self._side <= 1024:
            raise ConfigError(f"cell is {self._side}; it takes a whole number, 64 to 1024")
        stem = f"{Path(image).stem}.{kind}"
        self._path = output or (Path(f"{stem}.png") if overwrite else atomic.free_path(stem))
        image_writer.check_output(self._path, overwrite=overwrite)

    def dream(
        self, arguments: dict[str, Any], plan: Callable[[Session, int], list[Variant]], columns: int
    ) -> list[Variant]:
        """Dreams what `plan` gives for the dream that `arguments` describe, and writes the sheet.

        Raises:
            DreamkitError: something is wrong, in one line.
        """
        from dreamkit.jobs import variants as sheets
        from dreamkit.media import atomic, image_sizes, image_writer
        from dreamkit.request import make_request

        request = make_request(self._image, **arguments)
        picture = request.image
        assert picture is not None
        small = image_sizes.shrink(picture, self._side)
        atomic.refuse_inputs(self._path, request.inputs)
        try:
            with terminal.Meter(quiet=self._quiet) as meter:
                session = open_session(request, meter)
                planned = plan(session, self._side)
                dreamed = []
                for variant in sheets.dreams(small, session, planned):
                    dreamed.append(variant)
                    meter.doing(f"{len(dreamed)} of {len(planned)} {self._kind}")
        except KeyboardInterrupt:
            raise Interrupted("interrupted; nothing was written") from None
        title = Path(self._image).name
        image_writer.write(self._path, sheets.sheet(dreamed, columns, title), overwrite=self._overwrite)
        return dreamed

    def tell(self) -> None:
        """Says where the sheet is."""
        if not self._quiet:
            terminal.say(f"wrote {self._path} in {time.monotonic() - self._started:.1f} s", err=True)
