"""The examination: all checks, in the order in which they are shown."""

from __future__ import annotations

from contextlib import ExitStack

from dreamkit.jobs.doctor import networks, packages, plugins, surroundings, trial
from dreamkit.jobs.doctor.finding import Finding, examined


def examine(*, quick: bool = False) -> list[Finding]:
    """All findings. `quick` starts no TensorFlow, so that it is not known whether it works.

    The process that tries TensorFlow computes while the rest is looked at.
    """
    with ExitStack() as stack:
        tried = None if quick else stack.enter_context(trial.Trial())
        first = [
            *examined("Python", packages.python),
            *examined("dreamkit", packages.itself),
            *examined("packages", packages.needed),
        ]
        others = [
            # First, because a plugin that fails warns once, and its finding says the same.
            *examined("plugins", plugins.plugins),
            *examined("networks", networks.networks),
            *examined("extras", packages.extras),
            *examined("films", surroundings.films),
            *examined("page", surroundings.page),
            *examined("folders", surroundings.folders),
        ]
        return [*first, *trial.findings(tried.result() if tried is not None else None), *others]
