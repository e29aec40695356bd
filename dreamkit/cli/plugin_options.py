"""Options of plugins' parts on the command line, such as `--sparsity-target` for `target` of `sparsity`."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from dreamkit.cli.lazy_commands import parameters_of
from dreamkit.errors import DreamkitWarning
from dreamkit.plugins import registry

if TYPE_CHECKING:
    from dreamkit.plugins.parts import Option

PANEL = "Plugins"
_PREFIX = "plugin_option_"


class PluginOption(NamedTuple):
    """An option of a plugin's part.

    Attributes:
        part, kind, package: the part's name, what it is, and who provides it.
        name: of the option.
        option: its record.
    """

    part: str
    kind: str
    package: str
    name: str
    option: Option

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--{self.part}-{self.name}".replace("_", "-")


def add(command: Any, arguments: Sequence[str]) -> None:
    """Gives `command` the options of plugins, where its help is asked for or it lacks an option in
    `arguments`. Otherwise no plugin is imported.

    A plugin's option that is called like one of dreamkit's own can be given in a recipe alone.
    """
    own = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    given = {text.partition("=")[0] for text in arguments if text.startswith("--") and len(text) > 2}
    if {"-h", "--help"}.isdisjoint(arguments) and given <= own:
        return
    found = {name: each for name, each in _options().items() if each.flag not in own}
    for each in _options().values():
        if each.flag in own and each.flag not in given:
            warnings.warn(
                f"{each.flag} of plugin {each.package} is an option of dreamkit itself; give it in a recipe",
                DreamkitWarning,
                stacklevel=2,
            )
    command.params = [*command.params, *_parameters(found)]


def taken(parameters: dict[str, Any]) -> dict[str, dict[str, Any]] | None:
    """Takes the options of plugins out of the parameters of a command, which Typer does not know; by part."""
    values: dict[str, dict[str, Any]] = {}
    found = {name: parameters.pop(name) for name in list(parameters) if name.startswith(_PREFIX)}
    for name, value in found.items():
        if value is None:
            continue
        option = _options()[name]
        values.setdefault(option.part, {})[option.name] = value
    return values or None


def _options() -> dict[str, PluginOption]:
    """All options of plugins' parts, by the name of their parameter."""
    return {f"{_PREFIX}{number}": each for number, each in enumerate(_of_plugins())}


def _of_plugins() -> Iterator[PluginOption]:
    for kind in registry.PARTS:
        for part, plugin in registry.installed(kind).third_party():
            for name, option in part.options.items():
                yield PluginOption(part.name, kind.what, plugin.distribution, name, option)


def _parameters(options: Mapping[str, PluginOption]) -> list[Any]:
    """As parameters of a command."""

    def command(**_: Any) -> None:
        pass

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(each)
            )
            for name, each in options.items()
        ]
    )
    return parameters_of(command)


def _annotation(option: PluginOption) -> Any:
    """The type of a parameter, with its flags and help."""
    record = option.option
    allowed = f" ({record.range})" if record.range else ""
    shown = ("yes" if record.default else "no") if isinstance(record.default, bool) else record.default
    flag = f"{option.flag}/--no{option.flag[1:]}" if isinstance(record.default, bool) else option.flag
    return Annotated[
        type(record.default) | None,
        typer.Option(
            flag,
            help=f"{record.help}{allowed} Default: {shown}. Of the {option.kind} {option.part} "
            f"({option.package}).",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ]
