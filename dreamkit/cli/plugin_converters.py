"""The commands of `dreamkit convert`: dreamkit's own, and those of plugins."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from dreamkit.cli.lazy_commands import command_of
from dreamkit.errors import PluginError, UsageError, first_line, shown
from dreamkit.installation import DISTRIBUTION, plugin_command
from dreamkit.plugins import registry
from dreamkit.plugins.converters import Converter

# Converters of plugins that are made beside dreamkit, and the folder of each in `plugins`.
_KNOWN = {"torch": "dreamkit-torch"}


def names() -> list[str]:
    """The names of all converters, dreamkit's own first."""
    return [converter.name for converter, _ in registry.installed(registry.CONVERTERS).all()]


def command(name: str, kind: type[TyperCommand]) -> TyperCommand:
    """The command of the converter `name`, which becomes one of this `kind` when it is called.

    Raises:
        UsageError: there is no such converter; the message says what to install if a known plugin has it.
    """
    known = registry.installed(registry.CONVERTERS)
    if name in _KNOWN and not known.has(name):
        raise UsageError(
            f"dreamkit convert {name} comes with a plugin, which is not installed; run: "
            f"{plugin_command(_KNOWN[name])}"
        )
    return _Listed(known.get(name), known.owner(name), kind)


class _Listed(TyperCommand):
    """Stands for a converter in the list of commands, for which its function is not imported."""

    def __init__(self, converter: Converter, package: str, kind: type[TyperCommand]) -> None:
        super().__init__(converter.name, help=converter.help)
        self._converter, self._package, self._kind = converter, package, kind

    def make_context(self, info_name: Any, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self._command().make_context(info_name, args, parent, **extra)

    def _command(self) -> Any:
        """The command itself.

        Raises:
            PluginError: the function of a plugin cannot be imported, or Typer cannot make a command of it.
        """
        if self._package == DISTRIBUTION:
            return command_of(self._converter.name, self._converter.function(), self._kind)
        try:
            return command_of(self._converter.name, self._converter.function(), self._kind)
        # A plugin may raise anything at all, and even try to leave the process.
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"the converter {self._converter.name} of {self._package} failed: {type(error).__name__}: "
                f"{shown(first_line(error), 200)} (to remove it: pip uninstall {self._package})"
            ) from error
