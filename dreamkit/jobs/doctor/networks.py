"""The networks: whose weights are here, and what would be downloaded, from where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from dreamkit import config
from dreamkit.jobs.doctor.finding import BROKEN, MISSING, OK, Finding
from dreamkit.models import weights
from dreamkit.models.providers import ModelProvider, Weights
from dreamkit.models.registry import installed


def networks() -> Iterator[Finding]:
    """Each network, those of plugins too, and whether its weights are here and whole."""
    for provider, plugin in installed().providers():
        state, about, command = _weights(provider)
        yield Finding(
            what=f"network {provider.name}",
            state=state,
            about=about,
            command=command,
            needed=provider.name == config.DEFAULT_MODEL,
            facts={
                "weights": weights.state(provider),
                "package": plugin.distribution,
                "licence": provider.licence,
                **_source(provider.weights),
            },
        )


def _weights(provider: ModelProvider) -> tuple[str, str, str]:
    """The state of a network's weights, in words too, and the command that brings them."""
    first = f"dreamkit dream PHOTO --model {provider.name}"
    own = provider.weights
    if provider.setup:
        return MISSING, "must be set up first", provider.setup
    if isinstance(own, Path) and not own.is_file():
        return BROKEN, f"{own} is missing; install {_of(provider)} again", ""
    if not isinstance(own, Weights):
        return OK, "its weights are here", ""
    if weights.is_whole(own):
        return OK, f"its weights are in {weights.cached_path(own)}", ""
    size = f"{own.megabytes} MB" if own.megabytes else "its weights, of unknown size,"
    if weights.cached_path(own).is_file():
        return BROKEN, f"{weights.cached_path(own)} is damaged; the next dream downloads {size} again", first
    return MISSING, f"the first dream downloads {size} from {urlsplit(own.url).netloc}", first


def _of(provider: ModelProvider) -> str:
    return installed().owner(provider.name)


def _source(own: Weights | Path | None) -> dict[str, object]:
    if not isinstance(own, Weights):
        return {}
    return {"url": own.url, "megabytes": own.megabytes or None, "path": str(weights.cached_path(own))}
