"""Python, dreamkit, the packages that it needs, and its extras: what the metadata of packages say."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import dreamkit
from dreamkit.installation import DISTRIBUTION, extra_command, install_command
from dreamkit.jobs.doctor.finding import BROKEN, MISSING, OK, Finding
from dreamkit.version import __version__


def python() -> Iterator[Finding]:
    """Python and dreamkit themselves."""
    here = platform.python_version()
    wanted = distribution(DISTRIBUTION).metadata["Requires-Python"] or ""
    fits = SpecifierSet(wanted).contains(here, prereleases=True)
    yield Finding(
        what="Python",
        state=OK if fits else BROKEN,
        about=f"{here} on {platform.system()} ({platform.machine()})"
        + ("" if fits else f"; dreamkit needs {wanted}"),
        needed=True,
        facts={"version": here, "system": platform.platform(), "wanted": wanted},
    )


def itself() -> Iterator[Finding]:
    """dreamkit: its version and where it is."""
    folder = str(Path(dreamkit.__file__).parent)
    yield Finding(
        what="dreamkit",
        state=OK,
        about=f"{__version__} in {folder}",
        facts={"version": __version__, "folder": folder},
    )


def needed() -> Iterator[Finding]:
    """The packages that dreamkit needs."""
    yield _packages(
        "packages", _requirements(distribution(DISTRIBUTION), ""), install_command(), is_needed=True
    )


def extras() -> Iterator[Finding]:
    """Each extra of dreamkit: what its packages' metadata say it takes."""
    found = distribution(DISTRIBUTION)
    for extra in found.metadata.get_all("Provides-Extra") or ():
        yield _packages(f"extra {extra}", _requirements(found, extra), extra_command(extra))


def _requirements(of: Distribution, extra: str) -> list[Requirement]:
    """What a distribution needs, or with an extra, what that adds, on this Python and system."""
    found = [Requirement(text) for text in of.requires or ()]
    return [each for each in found if _applies(each, extra) and not (extra and _applies(each, ""))]


def _applies(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _packages(what: str, wanted: Iterable[Requirement], command: str, *, is_needed: bool = False) -> Finding:
    """Whether all of `wanted` is installed."""
    versions = {each: _version(each.name) for each in wanted}
    absent = [each.name for each, found in versions.items() if not found]
    lacking = [f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} not installed"] if absent else []
    lacking += [
        f"{each.name} is {found}, and {each.specifier} is needed"
        for each, found in versions.items()
        if found and not each.specifier.contains(found, prereleases=True)
    ]
    there = ", ".join(f"{each.name} {found}" for each, found in versions.items() if found)
    return Finding(
        what=what,
        state=MISSING if lacking else OK,
        about="; ".join(lacking) or there,
        command=command if lacking else "",
        needed=is_needed,
        facts={each.name: found for each, found in versions.items()},
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
