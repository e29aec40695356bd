"""The plugins, with everything that they add loaded, and what fails of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from dreamkit.errors import DreamkitWarning, shown
from dreamkit.jobs.doctor.finding import BROKEN, OK, Finding
from dreamkit.models import registry as models
from dreamkit.plugins import packages, registry
from dreamkit.plugins.packages import Plugin
from dreamkit.recipes.library import RECIPES


def loaded() -> Sequence[Plugin]:
    """dreamkit and all plugins, with everything that plugins add loaded. Warns of those that fail."""
    list(models.installed().providers())
    for kind in (*registry.PARTS, RECIPES, registry.CONVERTERS):
        list(registry.installed(kind).third_party())
    return packages.installed().plugins


def plugins() -> Iterator[Finding]:
    """Each plugin."""
    models.installed()  # which warns of converted networks that are damaged
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DreamkitWarning)  # the finding says the same
        _, *found = loaded()
    for each in found:
        package = f"{each.distribution} {each.version}".rstrip()
        yield Finding(
            what=f"plugin {each.name}",
            state=BROKEN if each.failure else OK,
            about=f"{package} {shown(each.failure, 200)}".rstrip(),
            command=f"pip uninstall {each.distribution}" if each.failure else "",
            facts={"package": each.distribution, "version": each.version, "failure": each.failure},
        )
