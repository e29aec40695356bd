"""The command line: `dreamkit`. Thin; everything it does, the library can do."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from dreamkit.cli import (
    atlas,
    batch,
    blend,
    compare,
    completion,
    concept,
    doctor,
    dream,
    examine,
    film,
    groups,
    models,
    plugin_converters,
    plugin_options,
    recipes,
    sheet,
    streams,
    terminal,
    variants,
    web,
    zoom,
)
from dreamkit.cli.lazy_commands import LazyCommands, command_of, parameters_of
from dreamkit.cli.repeated import refuse_repeated
from dreamkit.errors import DreamkitError, Interrupted, UsageError, first_line
from dreamkit.version import __version__

# A disk that is full, read-only or broken, a folder without rights: of the machine, wherever it shows.
_SYSTEMS_FAULTS = {
    getattr(errno, name, None)
    for name in (
        *("EIO", "ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM"),
        *("ENAMETOOLONG", "EMFILE", "ENFILE", "ESTALE", "ENODEV"),
    )
} - {None}


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
        if not ctx.resilient_parsing:  # a line that a shell completes has no end yet
            refuse_repeated(self, ctx, args)
        return super().parse_args(ctx, args)


class _LongCommand(_Command):
    """A command that takes time, and so has --log-format; `run` obeys it before anything is parsed."""

    def __init__(self, *arguments: Any, **given: Any) -> None:
        super().__init__(*arguments, **given)
        # Not a parameter of the function, so that no frame stands between Typer and the function.
        self.params = [*self.params, *parameters_of(_log_format)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        log_format = ctx.params.pop("log_format", None)
        if log_format not in (None, "text", "json"):
            raise UsageError(f"--log-format is {log_format!r}; choose text or json")
        return rest


class _DreamCommand(_LongCommand):
    """A command that takes the options of a dream, those of plugins included."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        plugin_options.add(self, args)
        rest = super().parse_args(ctx, args)
        if ctx.params["plugin_options"] is not None:
            raise UsageError(
                "there is no option --plugin-options; name each one, such as --standouts-threshold"
            )
        ctx.params["plugin_options"] = plugin_options.taken(ctx.params)
        return rest


def _log_format(
    log_format: Annotated[
        str | None,
        typer.Option(
            "--log-format",
            metavar="text|json",
            help="Format of messages on stderr: text, or json with one line per event. Default: text.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """The option that all commands have which take time."""


class _Root(_Group):
    """The group of all commands."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.commands = LazyCommands(_COMMANDS)

    def list_commands(self, _ctx: Any) -> list[str]:
        return list(self.commands)


app = typer.Typer(
    cls=_Root,
    help="DeepDream with any network: from a photograph, or from noise.",
    no_args_is_help=True,
    add_completion=False,  # its two options would be read so too; `completion` has them
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(context: typer.Context, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        terminal.say(f"dreamkit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version."
    ),
    install_completion: bool = typer.Option(
        False,
        "--install-completion",
        callback=completion.install,
        is_eager=True,
        help="Let your shell complete commands, options, models, layers, recipes and concepts.",
    ),
    show_completion: bool = typer.Option(
        False,
        "--show-completion",
        callback=completion.show,
        is_eager=True,
        help="Print what --install-completion would write, to put it elsewhere.",
    ),
) -> None:
    del version, install_completion, show_completion


class _ConvertGroup(_Group):
    """A group whose commands are the converters, of which no plugin is imported unless it is asked for."""

    def list_commands(self, _ctx: Any) -> list[str]:
        return plugin_converters.names()

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        return None if cmd_name.startswith("-") else plugin_converters.command(cmd_name, _LongCommand)


_converts = typer.Typer(
    name="convert",
    add_completion=False,
    cls=_ConvertGroup,
    help="Bring over a network of another framework: compared with the original, and kept.",
    no_args_is_help=True,
)


@_converts.callback()
def _convert() -> None:
    """With a callback, what has no commands yet is a group."""


_concepts = typer.Typer(
    name="concept",
    add_completion=False,
    cls=_Group,
    help="Dream of what is in your own pictures: learn it from a few of them.",
    no_args_is_help=True,
)


for _name, _function in (
    ("learn", concept.learn),
    ("show", concept.show),
    ("test", concept.try_class),
    ("remove", concept.remove),
):
    _concepts.command(_name, cls=_LongCommand)(_function)

_exports = typer.Typer(
    name="export",
    add_completion=False,
    cls=_Group,
    help="Take networks elsewhere: to a page in the browser.",
    no_args_is_help=True,
)


@_exports.callback()
def _export() -> None:
    """With a callback, a group of one command stays a group."""


_exports.command(cls=_LongCommand)(web.web)

_TAKE_TIME = (
    dream.dream,
    dream.redo,
    variants.variants,
    blend.blend,
    batch.batch,
    recipes.recipes,
    zoom.zoom,
    film.film,
    sheet.sheet,
    atlas.atlas,
    compare.compare,
    examine.examine,
    groups.groups,
    web.serve,
    models.layers,
)
# Which have nothing to tell of, and are to answer at once.
_AT_ONCE = (models.models, models.plugins, models.options, concept.concepts, doctor.doctor)
_GROUPS = (_converts, _concepts, _exports)


def _makers() -> dict[str, Callable[[], Any]]:
    """What makes each command of dreamkit, by its name, in the order of `--help`."""
    found: dict[str, Callable[[], Any]] = {}
    for function in _TAKE_TIME:
        kind = _DreamCommand if hasattr(function, "takes_dream_options") else _LongCommand
        found[function.__name__] = partial(command_of, function.__name__, function, kind)
    for function in _AT_ONCE:
        found[function.__name__] = partial(command_of, function.__name__, function, _Command)
    for group in _GROUPS:
        found[str(group.info.name)] = partial(typer.main.get_command, group)
    return found


_COMMANDS = _makers()


def run(app: typer.Typer, program: str, arguments: Sequence[str] | None = None) -> None:
    """Runs a command line and leaves the process: the one place where errors are shown.

    Exits with 0; 1 for a wrong input; 2 for a wrong command line; 130 after Ctrl-C, 143 after SIGTERM, 129
    after SIGHUP, 149 after Ctrl-Break. What is neither is a bug and keeps its traceback.
    """
    command = typer.main.get_command(app)
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Before it is parsed, so that a faulty command line is reported in the same format.
    terminal.log_as_json("--log-format=json" in given or ("--log-format", "json") in pairwise(given))
    with streams.safe(), terminal.warnings_as_lines(), terminal.ended_as_by_ctrl_c():
        completion.answer(command, program)
        try:
            # Not by calling the command: Typer would keep every KeyboardInterrupt to itself.
            with command.make_context(program, given) as context:
                code = command.invoke(context)
        except typer.Exit as left:
            code = left.exit_code
        except KeyboardInterrupt as interrupted:  # and so `Interrupted`, which has more to say
            code = terminal.interrupted_code()
            known = interrupted if isinstance(interrupted, Interrupted) else None
            terminal.error(str(known or "interrupted"), known, code=code)
        except BrokenPipeError:  # who reads stdout has left, as `head` does
            code = 1
        except DreamkitError as error:
            terminal.error(str(error), error, code=error.exit_code)
            code = error.exit_code
        except OSError as error:
            if error.errno not in _SYSTEMS_FAULTS:
                raise
            about = f" {error.filename}" if error.filename is not None else " a file"
            terminal.error(f"cannot read or write{about} ({first_line(error)})", error, code=1)
            code = 1
        except Exception as error:
            # Typer's own complaints about a command line; its Click is private, so they are told by shape.
            if not (hasattr(error, "format_message") and hasattr(error, "exit_code")):
                raise
            if error.format_message():  # a bare `dreamkit` has shown its help, and nothing is wrong
                terminal.error(_usage(error.format_message(), getattr(error, "ctx", None)))
            code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)


def _usage(message: str, context: typer.Context | None) -> str:
    """A usage error in one line, with where to look."""
    line = " ".join(message.split()).rstrip(".")
    if "No such option: --log-format" in line:  # it was written before the command
        line += "; it goes after a command that takes time"
    return f"{line}; see {context.command_path} --help" if context else line


main = partial(run, app, "dreamkit")  # which adds no frame of its own
