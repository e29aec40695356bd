"""What a dream was made of, as plain data: enough to make it again, and nothing that identifies a person."""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import Any

from dreamkit.config import DreamConfig
from dreamkit.version import __version__

_VERSIONS_OF = ("tensorflow", "keras", "numpy", "pillow")


def recipe(
    config: DreamConfig,
    *,
    model: str,
    weights_sha256: str,
    photograph: tuple[str, str] | None,
    size: tuple[int, int],
    layers: dict[str, float],
    octaves: list[tuple[int, int]],
) -> dict[str, Any]:
    """The recipe of a dream: options, what they came to, and hashes of what went in. No time, no path.

    `photograph` is its name and SHA-256, None for a dream of noise. `size` and `octaves` are heights and
    widths in pixels.
    """
    return {
        "dreamkit": __version__,
        "options": config.to_dict(),
        "effective": {"size": list(size), "layers": layers, "octaves": [list(octave) for octave in octaves]},
        "model": {"name": model, "sha256": weights_sha256},
        "photograph": photograph and dict(zip(("name", "sha256"), photograph, strict=True)),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _VERSIONS_OF}},
    }
