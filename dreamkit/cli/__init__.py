"""The command line: `dreamkit`. Thin; everything it does, the library can do."""

from __future__ import annotations

import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dreamkit.cli import (
    atlas,
    batch,
    blend,
    compare,
    convert,
    dream,
    film,
    models,
    plugin_options,
    recipes,
    terminal,
    variants,
    web,
)
from dreamkit.cli.repeated import refuse_repeated
from dreamkit.errors import DreamkitError, Interrupted, UsageError
from dreamkit.version import __version__


class _Light:
    """A command whose `--help` is off by default. Typer leaves it unset, and reads that through Pydantic."""

    def get_help_option(self, ctx: Any) -> Any:
        option = super().get_help_option(ctx)  # type: ignore[misc]
        if option is not None:
            option.default = False
        return option


class _Group(_Light, TyperGroup):
    pass


class _Command(_Light, TyperCommand):
    """A command that refuses options which are given twice."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        refuse_repeated(self, ctx, args)
        return super().parse_args(ctx, args)


class _DreamCommand(_Command):
    """A command that takes the options of a dream, those of plugins included."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        plugin_options.add(self, args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        ctx.meta[plugin_options.META] = plugin_options.taken(ctx.params)
        return super().invoke(ctx)


class _Stopped(Exception):  # noqa: N818 - not an error
    """Carries `Interrupted` through Typer, which keeps every KeyboardInterrupt to itself."""

    def __init__(self, interrupted: Interrupted) -> None:
        super().__init__(str(interrupted))
        self.interrupted = interrupted


_LogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="text|json",
        help="What is said on stderr: text for people, or json, a line for each event. Default: text.",
        show_default=False,
    ),
]


def _command(function: Callable[..., None]) -> Callable[..., None]:
    """A command with the option that all of them have which take time."""
    signature = inspect.signature(function, eval_str=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    own = [
        inspect.Parameter("log_format", kind, default=None, annotation=_LogFormat),
        inspect.Parameter("context", kind, annotation=typer.Context),
    ]

    @wraps(function)
    def command(*, log_format: str | None, context: typer.Context, **given: Any) -> None:
        if log_format not in (None, "text", "json"):
            raise UsageError(f"--log-format is {log_format!r}; choose text or json")
        try:
            function(**given, **context.meta.get(plugin_options.META, {}))
        except Interrupted as interrupted:
            raise _Stopped(interrupted) from None

    command.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *own])  # type: ignore[attr-defined]
    return command


app = typer.Typer(
    cls=_Group,
    help="DeepDream with any network: from a photograph, or from noise.",
    no_args_is_help=True,
    add_completion=False,  # its two options would be read so too
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dreamkit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
) -> None:
    del version


for _function in (
    dream.dream,
    dream.redo,
    variants.variants,
    blend.blend,
    batch.batch,
    recipes.recipes,
    film.zoom,
    film.film,
    atlas.atlas,
    compare.compare,
    web.serve,
    models.layers,
):
    _class = _DreamCommand if hasattr(_function, "takes_dream_options") else _Command
    app.command(cls=_class)(_command(_function))
for _list in (models.models, models.plugins):  # which have nothing to tell of, and are to answer at once
    app.command(cls=_Command)(_list)

_converts = typer.Typer(
    cls=_Group,
    help="Bring over a network of another framework: compared with the original, and kept.",
    no_args_is_help=True,
)
for _convert in (convert.caffe, convert.onnx, convert.keras):
    _converts.command(cls=_Command)(_command(_convert))
app.add_typer(_converts, name="convert")

_exports = typer.Typer(
    cls=_Group, help="Take networks elsewhere: to a page in the browser.", no_args_is_help=True
)


@_exports.callback()
def _export() -> None:
    """With a callback, a group of one command stays a group."""


_exports.command(cls=_Command)(_command(web.web))
app.add_typer(_exports, name="export")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `dreamkit` and leaves the process."""
    run(app, "dreamkit", arguments)


def run(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> None:
    """Runs a command line and leaves the process: the one place where errors are shown.

    Exits with 0; 1 for a wrong input; 2 for a wrong command line; 130 after Ctrl-C, 143 after SIGTERM. What
    is neither is a bug and keeps its traceback.
    """
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Before it is parsed, so that what is wrong with it is told of in the same way.
    terminal.log_as_json("--log-format=json" in given or ("--log-format", "json") in pairwise(given))
    with terminal.warnings_as_lines(), terminal.ended_as_by_ctrl_c():
        try:
            code = command(given, program, standalone_mode=False)
            if code == Interrupted.exit_code:  # Typer's, of Ctrl-C where there was nothing to tell of yet
                terminal.error("interrupted", code=code)
        except _Stopped as stopped:
            code = 128 + signal.SIGTERM if terminal.terminated() else Interrupted.exit_code
            terminal.error(str(stopped), stopped.interrupted, code=code)
        except DreamkitError as error:
            terminal.error(
                str(error), error, code=128 + signal.SIGTERM if terminal.terminated() else error.exit_code
            )
            code = error.exit_code
        except Exception as error:
            # Typer's own complaints about a command line; its Click is private, so they are told by shape.
            if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
                raise
            if error.format_message():  # a bare `dreamkit` has shown its help, and nothing is wrong
                terminal.error(_usage(error.format_message(), getattr(error, "ctx", None)))
            code = error.exit_code
    if terminal.terminated() and code == Interrupted.exit_code:
        code = 128 + signal.SIGTERM
    sys.exit(code if isinstance(code, int) else 0)


def _usage(message: str, context: typer.Context | None) -> str:
    """A usage error in one line, with where to look."""
    line = " ".join(message.split()).rstrip(".")
    if "No such option: --log-format" in line:  # it was written before the command
        line += "; it goes after a command that takes time"
    return f"{line}; see {context.command_path} --help" if context else line
