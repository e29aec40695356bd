"""The photographs that a command looks at and does not dream."""

from __future__ import annotations

from collections.abc import Sequence

from dreamkit.errors import ConfigError
from dreamkit.jobs.batch.inputs import expand as expand_inputs
from dreamkit.media.remote import is_url


def expand(given: Sequence[str]) -> list[str]:
    """The paths of photographs that folders, files, patterns and lists stand for: see `batch.inputs.expand`.

    Raises:
        ImageError: one of `given` stands for no picture.
        ConfigError: one is not on this machine.
    """
    found = [each.source for each in expand_inputs(given)]
    remote = [each for each in found if is_url(each)]
    if remote:
        raise ConfigError(f"photographs are read from this machine; download {remote[0]} first")
    return found
