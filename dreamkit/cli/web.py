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
    from dreamkit.request import DreamRequest
    from dreamkit.web.site import PageModel

_DTYPES = ("float32", "float16")
_Models = Annotated[
    list[str] | None,
    typer.Option(
        "-m",
        "--model",
        help="A network for the page; repeat it for several. The page opens the first one. "
        f"Default: {config.DEFAULT_MODEL}.",
        show_default=False,
    ),
]
_Layers = Annotated[
    list[str] | None,
    typer.Option(
        "-l",
        "--layers",
        help="Layers that the page offers, such as `mixed3b,mixed4c`; the network is exported up to the "
        "deepest one. Default: the layers that join branches, up to the model's default layers, and those of "
        "the recipe.",
    ),
]
_Recipe = Annotated[
    str | None,
    typer.Option("-r", "--recipe", metavar="NAME|FILE", help="The recipe that the page starts with."),
]
_Dtype = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="Type of the weights: float32, or float16, which is half as large and a little less exact.",
    ),
]


def web(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="The folder to write the page to.")
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
    """Write a page that dreams in the browser, with its networks, as files for any static server.

    dreamkit export web --model pocket -o site
    """
    with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
        from dreamkit.web import site

        site.check_output(output, overwrite=overwrite)
        models, request, together = _open(model, layers, recipe, weights, dtype, meter)
        meter.doing("exporting")
        size = site.write(
            output,
            models,
            request.config,
            guide=request.guide,
            masks=request.masks,
            together=together,
            dtype=dtype,
            overwrite=overwrite,
            keeps_offline=True,
        )
    if not quiet:
        names = " and ".join(each.network.provider.name for each in models)
        terminal.say(f"wrote {output} ({names}, {size / 1e6:.1f} MB of weights)")


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="FOLDER", help="An exported page. Without it, the page is exported first."),
    ] = None,
    model: _Models = None,
    layers: _Layers = None,
    recipe: _Recipe = None,
    weights: Weights = None,
    dtype: _Dtype = "float32",
    port: Annotated[
        int, typer.Option("--port", help="The port; 0 selects a free one.", min=0, max=65535)
    ] = 8765,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")
    ] = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Dream in the browser: serve the page to this machine until Ctrl-C.

    dreamkit serve --model pocket
    """
    from dreamkit.web.server import Server

    with (
        _site_folder(folder, model, layers, recipe, weights, dtype, quiet=quiet, verbose=verbose) as served,
        Server(served, port) as server,
    ):
        try:
            terminal.say(f"dreaming at {server.address} (press Ctrl-C to stop)")
            if browser:
                webbrowser.open(server.address)
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            terminal.say("")


@contextmanager
def _site_folder(
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
    """The folder to serve: the given one, or a temporary one with a new site."""
    from dreamkit.web import site

    if folder is not None:
        if model or layers or recipe or weights:
            raise UsageError(
                f"{folder} has its own networks and recipe; give either the folder or options of the export"
            )
        if not site.is_site(folder):
            raise site.SiteError(
                f"{shown(str(folder))} is not an exported page; write one with dreamkit export web -o FOLDER"
            )
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="dreamkit-") as temporary:
        served = Path(temporary) / "site"
        with terminal.own_lines_only(verbose=verbose), terminal.Meter(quiet=quiet) as meter:
            models, request, together = _open(model, layers, recipe, weights, dtype, meter)
            meter.doing("exporting")
            # Without an offline copy: another site may be served at this address tomorrow.
            site.write(
                served,
                models,
                request.config,
                guide=request.guide,
                masks=request.masks,
                together=together,
                dtype=dtype,
            )
        del models  # their memory is not needed while serving
        yield served


def _open(
    model: list[str] | None,
    layers: list[str] | None,
    recipe: str | None,
    weights: list[str] | None,
    dtype: str,
    meter: terminal.Meter,
) -> tuple[list[PageModel], DreamRequest, bool]:
    """The networks of the page, loaded, its recipe, and whether that has the networks dream together."""
    from dreamkit.request import specs_of, without_image
    from dreamkit.web import page_recipe, site

    if dtype not in _DTYPES:
        raise ConfigError(f"--dtype is {shown(dtype)!r}; choose {' or '.join(_DTYPES)}")
    request = without_image(specs_of(model), weights=weights_by_model(weights), recipe=recipe)
    if layers and len(request.models) > 1:
        raise UsageError(
            "--layers is given for several networks; export one network at a time to choose its layers"
        )
    page_recipe.check(request)
    site.bundle()
    names = [name.strip() for each in layers or () for name in each.split(",")]
    session = open_session(request, meter)
    models = [site.PageModel(each.network, names, each.weight, each.layers) for each in session.models]
    return models, request, model is None and len(models) > 1
