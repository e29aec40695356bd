"""`dreamkit serve` and `dreamkit export web`."""

from __future__ import annotations

import tempfile
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dreamkit import config
from dreamkit.cli import terminal
from dreamkit.cli.dream import open_session
from dreamkit.cli.dream_options import Weights, weights_by_model
from dreamkit.cli.output_options import Overwrite, Quiet, Verbose
from dreamkit.errors import ConfigError, UsageError, shown

if TYPE_CHECKING:
    from dreamkit.config import DreamConfig
    from dreamkit.web.site import Exhibit

_DTYPES = ("float32", "float16")
_Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        help="A network of the page; repeat it for more, the first is dreamed by. "
        f"Default: {config.DEFAULT_MODEL}.",
        show_default=False,
    ),
]
_Layers = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--layers",
        help="Layers that can be dreamed, `mixed3,mixed4`; the deepest one says how much is exported. "
        "Default: those that branches end in, as far as the model's own.",
    ),
]
_Recipe = Annotated[
    str | None,
    typer.Option("-r", "--recipe", metavar="NAME|FILE", help="What the page dreams by, until it is changed."),
]
_Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="What weights are written as: float32, or float16, half as large and a little less exact.",
    ),
]


def web(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where the page is written.")
    ],
    model: _Models = None,
    layers: _Layers = None,
    recipe: _Recipe = None,
    weights: Weights = None,
    dtype: _Dtype = "float32",
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write a page that dreams in the browser, with its networks: files that any static server can serve.

    dreamkit export web --model pocket -o site
    """
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        from dreamkit.web import site

        site.check_output(output, overwrite=overwrite)
        exhibits, options = _open(model, layers, recipe, weights, dtype, meter)
        meter.doing("exporting")
        size = site.write(output, exhibits, options, dtype=dtype, overwrite=overwrite)
    if not quiet:
        names = " and ".join(exhibit.network.provider.name for exhibit in exhibits)
        typer.echo(f"wrote {output} ({names}, {size / 1e6:.1f} MB of weights)")


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="A page that was exported. Without one, it is now."),
    ] = None,
    model: _Models = None,
    layers: _Layers = None,
    recipe: _Recipe = None,
    weights: Weights = None,
    dtype: _Dtype = "float32",
    port: Annotated[int, typer.Option("--port", help="0 for any that is free.", min=0, max=65535)] = 8765,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Dream in the browser: serve the page to this machine, until Ctrl-C.

    dreamkit serve --model pocket
    """
    from dreamkit.web.server import Server

    with (
        _site(folder, model, layers, recipe, weights, dtype, quiet=quiet, verbose=verbose) as served,
        Server(served, port) as server,
    ):
        try:
            typer.echo(f"dreaming at {server.address} (Ctrl-C ends it)")
            if browser:
                webbrowser.open(server.address)
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            typer.echo("")


@contextmanager
def _site(
    folder: Path | None,
    model: list[str] | None,
    layers: list[str] | None,
    recipe: str | None,
    weights: list[str] | None,
    dtype: str,
    *,
    quiet: bool,
    verbose: bool,
) -> Iterator[Path]:
    """The folder to serve: the one given, or one that is there as long as it is needed."""
    from dreamkit.web import site

    if folder is not None:
        if model or layers or recipe or weights:
            raise UsageError(f"{folder} is a page with its own networks; give either it or what to export")
        if not site.is_site(folder):
            raise site.SiteError(
                f"{shown(str(folder))} is no exported page; write one with dreamkit export web -o FOLDER"
            )
        yield folder
        return
    site.bundle()
    with tempfile.TemporaryDirectory(prefix="dreamkit-") as home:
        place = Path(home) / "site"
        with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
            exhibits, options = _open(model, layers, recipe, weights, dtype, meter)
            meter.doing("exporting")
            site.write(place, exhibits, options, dtype=dtype)
        del exhibits
        yield place


def _open(
    model: list[str] | None,
    layers: list[str] | None,
    recipe: str | None,
    weights: list[str] | None,
    dtype: str,
    meter: terminal.Meter,
) -> tuple[list[Exhibit], DreamConfig]:
    """The page's networks, loaded, and its recipe."""
    from dreamkit.request import specs_of, without_image
    from dreamkit.web import site

    if dtype not in _DTYPES:
        raise ConfigError(f"--dtype is {shown(dtype)!r}; choose {' or '.join(_DTYPES)}")
    site.bundle()
    request = without_image(specs_of(model), weights=weights_by_model(weights), recipe=recipe)
    if model is None and len(request.models) > 1:
        raise ConfigError(
            f"{recipe} has {len(request.models)} networks that dream together, which a page cannot do; "
            "name the page's networks with --model"
        )
    if layers and len(request.models) > 1:
        raise UsageError("--layers is given for several networks; export one at a time to choose its layers")
    site.check(request)
    names = [name.strip() for each in layers or () for name in each.split(",")]
    session = open_session(request, meter)
    return [site.Exhibit(each.network, names) for each in session.models], request.config
