"""The page of all commands and their options, made from the command line itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from dreamkit import config
from dreamkit.cli import app, dream_options

_INTRODUCTION = """# Commands

Each command with its arguments and options, as `--help` shows them. [The options of a dream](options.md),
which several commands share, have a page of their own.
"""
_DREAM = "dreamkit dream"


def page() -> str:
    """Every command, in the order of `dreamkit --help`."""
    return "\n".join([_INTRODUCTION, *(_section(context) for context in leaves())])


def leaves() -> Iterator[Any]:
    """A context of each command that is not a group, parsed from nothing."""
    group = typer.main.get_command(app)
    yield from _leaves(group.make_context("dreamkit", [], resilient_parsing=True))


def _leaves(context: Any) -> Iterator[Any]:
    group = context.command
    if not hasattr(group, "list_commands"):
        yield context
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield from _leaves(command.make_context(name, [], parent=context, resilient_parsing=True))


def _section(context: Any) -> str:
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    parts = [f"## {context.command_path}", *_help(command.help or "", usage, context.command_path)]
    shared = _shared(command, context.command_path == _DREAM)
    rows = [_row(each) for each in command.params if not each.hidden and each not in shared]
    if rows:
        parts.append("\n".join(["| | |", "|---|---|", *rows]))
    if shared:
        parts.append(_also(shared))
    return "\n\n".join(parts) + "\n"


def _shared(command: Any, is_dream: bool) -> list[Any]:
    """The options that are described elsewhere: on the page of options, and under `dreamkit dream`."""
    if all(each.name != "plugin_options" for each in command.params):  # it takes none of a dream
        return []
    names = {each.name for each in dream_options.parameters()} - {"plugin_options"}
    elsewhere = set(config.option_names()) if is_dream else names
    return [each for each in command.params if each.name in elsewhere and not each.hidden]


def _also(shared: list[Any]) -> str:
    """The sentence that stands for shared options."""
    of_config = set(config.option_names())
    flags = ", ".join(f"`{each.opts[-1]}`" for each in shared if each.name not in of_config)
    sentence = "It also takes [the options of a dream](options.md)"
    return sentence + (f", and {flags} as [{_DREAM}](#{_DREAM.replace(' ', '-')}) does." if flags else ".")


def _help(text: str, usage: str, path: str) -> Iterator[str]:
    """The paragraphs of a command's help; those that are commands become code, under the usage."""
    paragraphs = [each.strip() for each in text.split("\n\n") if each.strip()]
    examples = [each for each in paragraphs if each.startswith("dreamkit ")]
    yield from (" ".join(each.split()) for each in paragraphs if each not in examples)
    lines = "\n".join(line.strip() for each in examples for line in each.splitlines())
    yield f"`{path} {usage}`"
    if lines:
        yield f"```\n{lines}\n```"


def _row(parameter: Any) -> str:
    text = " ".join((getattr(parameter, "help", None) or "").split())
    if parameter.param_type_name == "argument":
        return f"| `{(parameter.metavar or parameter.name).upper()}` | {_cell(text)} |"
    flags = ", ".join(f"`{each}`" for each in [*parameter.opts, *parameter.secondary_opts])
    value = "" if parameter.is_flag else f" `{parameter.metavar or 'VALUE'}`"
    if parameter.required:
        text += " It must be given."
    elif parameter.show_default and not parameter.is_flag and parameter.default not in (None, ""):
        text += f" Default: {parameter.default}."
    return f"| {flags}{value} | {_cell(text)} |"


def _cell(text: str) -> str:
    """A text as it is written in a table. (In code, a bar stays a bar.)"""
    return text.replace("|", "&#124;")
