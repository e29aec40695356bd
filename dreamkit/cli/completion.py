"""Completion of command lines by shells: `--install-completion`, `--show-completion`, and their questions.

At every TAB, the shell starts dreamkit with the line so far in the environment. Only then is anything of this
module computed: who completes a parameter is found by the parameter's name.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import typer

from dreamkit import config
from dreamkit.errors import DreamkitError, UsageError

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")


class Item(NamedTuple):
    """A possible word, as shells are given it."""

    value: str
    help: str = ""
    type: str = "plain"


Words = Callable[[Any], Iterable[Item]]  # of a command line's context


def variable(program: str) -> str:
    """The variable of the environment in which a shell puts its question."""
    return f"_{program.replace('-', '_').upper()}_COMPLETE"


def answer(command: Any, program: str) -> None:
    """Answers a shell's question and leaves the process; returns where there is none.

    Nothing but the answer is printed: the user is in the middle of a line.
    """
    question = os.environ.get(variable(program))
    if not question:
        return
    complete = _typer().shell_complete
    _complete_values(command)
    os.environ["COLUMNS"] = "10000"  # a help that is wrapped would be several words for a shell
    with contextlib.redirect_stdout(io.StringIO()) as answered, _silence():
        try:
            code = complete(command, {}, program, variable(program), question)
        except SystemExit as left:  # how fish is told whether there is anything
            code = left.code if isinstance(left.code, int) else 1
        except (DreamkitError, typer.Exit):  # the line so far is wrong or whole: it says so when it is run
            code = 1
    sys.stdout.write(answered.getvalue())
    sys.exit(code)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


def show(context: typer.Context, wanted: bool) -> None:
    """Prints the script of the user's shell."""
    if wanted and not context.resilient_parsing:
        program = str(context.info_name)
        shell = _shell(program)
        complete = _typer().shell_complete
        sys.exit(complete(context.command, {}, program, variable(program), f"source_{shell}"))


def install(context: typer.Context, wanted: bool) -> None:
    """Writes the script of the user's shell to where the shell looks for it."""
    if wanted and not context.resilient_parsing:
        _typer().install_callback(context, None, _shell(str(context.info_name)))


def _typer() -> Any:
    """Typer's module of completion, which then knows the shells."""
    from typer import completion

    completion.get_completion_inspect_parameters()
    return completion


def _shell(program: str) -> str:
    """The shell that started this process.

    Raises:
        UsageError: none can be found, or it is one that has no completion.
    """
    import shellingham

    possible = "completion is for bash, zsh, fish and PowerShell"
    how = f"{variable(program)}=source_bash {program} prints the script of bash, and so for others"
    try:
        shell, _ = shellingham.detect_shell()
    except shellingham.ShellDetectionFailure:
        raise UsageError(f"the shell that started {program} cannot be found; {possible}. {how}") from None
    if shell not in SHELLS:
        raise UsageError(f"{program} was started by {shell}; {possible}. {how}")
    return str(shell)


def _complete_values(command: Any) -> None:
    """Lets parameters of `command` and its commands complete their values, and shortens their help."""
    for each in getattr(command, "commands", {}).values():
        _complete_values(each)
    for parameter in command.params:
        if getattr(parameter, "help", None):
            parameter.help = parameter.help.partition(". ")[0]
        words = _of_parameter(parameter.name)
        if words is not None:
            parameter.shell_complete = partial(_matching, words)


def _of_parameter(name: str) -> Words | None:
    """The words of a parameter, by its name; None for one that takes anything, or files."""
    if name in _WORDS:
        return _WORDS[name]
    field = config.DreamConfig.__dataclass_fields__.get(name)
    known = field.metadata.get("choices", field.metadata.get("names", ())) if field is not None else ()
    return (lambda _: map(Item, known)) if known else None


def _matching(words: Words, context: Any, incomplete: str) -> list[Item]:
    """The words that begin as the user has begun, after the last comma of a list."""
    before, comma, begun = incomplete.rpartition(",")
    found = {each.value: each for each in words(context) if each.value.startswith(begun)}
    return [each._replace(value=f"{before}{comma}{each.value}") for each in found.values()]


def _models(_: Any) -> Iterator[Item]:
    from dreamkit.models.registry import installed

    return (Item(provider.name, provider.description) for provider, _ in installed().providers())


def _model_of(context: Any) -> str:
    """The network that the line so far names, or else the one by default."""
    given = context.params.get("model")
    name = given[0] if isinstance(given, list | tuple) and given else given
    return str(name or config.DEFAULT_MODEL).partition("=")[0]


def _layers(context: Any) -> Iterator[Item]:
    """Layers worth choosing, as their provider lists them: nothing is loaded."""
    from dreamkit.models.registry import installed
    from dreamkit.terms import DEPTHS

    provider = installed().provider(_model_of(context))
    known = dict.fromkeys([*provider.main_layers, *provider.layers, *provider.guide_layers, provider.head])
    yield from (Item(name) for name in known if name)
    yield from (Item(name, f"{depth:.0%} of the network's depth") for name, depth in DEPTHS.items())


def _recipes(_: Any) -> Iterable[Item]:
    from dreamkit import recipes

    return map(Item, [*recipes.built_in(), *recipes.of_plugins()])


def _concepts(context: Any) -> Iterable[Item]:
    from dreamkit.concepts import library

    if context.info_name == "learn":  # which takes a new name
        return ()
    return map(Item, library.names(_model_of(context)))


def _codecs(_: Any) -> Iterable[Item]:
    from dreamkit.media.video_formats import CODECS

    return map(Item, CODECS)


_WORDS: dict[str, Words] = {
    "model": _models,
    "layers": _layers,
    "recipe": _recipes,
    "concepts": _concepts,
    "name": _concepts,  # of `dreamkit concept`
    "codec": _codecs,
    "log_format": lambda _: map(Item, ("text", "json")),
}
