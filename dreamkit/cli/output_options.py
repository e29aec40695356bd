"""The options that commands share which write a picture or a film."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dreamkit.option import OUTPUT, WHAT

Output = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        "--output-filepath",
        metavar="PATH",
        help="Where to write: .png, .jpg, .webp or .tiff. Default: IMAGE.dream.png in this folder.",
        rich_help_panel=OUTPUT,
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        "-r",
        "--recipe",
        metavar="NAME|FILE",
        help="A recipe: a built-in one (`dreamkit recipes` lists them), a TOML file, or a picture that "
        "dreamkit dreamed. Options on the command line replace those of the recipe.",
        rich_help_panel=WHAT,
    ),
]
Dpi = Annotated[
    int | None,
    typer.Option(
        "--dpi",
        metavar="N",
        min=2,
        max=65_535,
        help="Write this number of dots per inch into the file, for printing; no pixel changes. Default: the "
        "photograph's.",
        show_default=False,
        rich_help_panel=OUTPUT,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue an interrupted dream. The file will be the same as without the interruption.",
        rich_help_panel=OUTPUT,
    ),
]
CheckpointEvery = Annotated[
    float,
    typer.Option(
        "--checkpoint",
        metavar="SECONDS",
        min=0,
        help="How often to save the state of a long dream in OUTPUT.work, for --resume; 0: after each step.",
        rich_help_panel=OUTPUT,
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Write over an existing file.", rich_help_panel=OUTPUT)
]
Quiet = Annotated[
    bool,
    typer.Option("-q", "--quiet", help="Print only errors and warnings.", rich_help_panel=OUTPUT),
]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", help="Show TensorFlow's own messages.", rich_help_panel=OUTPUT)
]


def refuse_pictures(path: Path, pictures: Sequence[str]) -> None:
    """Refuses to write over one of the pictures that are read.

    Raises:
        ConfigError: `path` is one of them.
    """
    from dreamkit.media import atomic

    for picture in pictures:
        atomic.refuse_inputs(path, {"one of the pictures": picture})
