"""Command lines for tests: defaults with some of their options changed."""

from __future__ import annotations

from collections.abc import Sequence

_ALIASES = {"--colour": "--color", "--normalize": "--normalise", "-m": "--model", "--output": "-o"}


def changed(defaults: Sequence[str], *given: object) -> list[str]:
    """`defaults` without the options that `given` has as well, and then `given`.

    An option may be given once on a command line, under whichever of its names.
    """
    repeated = {_ALIASES.get(str(word), str(word)) for word in given if str(word).startswith("-")}
    line: list[str] = []
    is_dropped = False
    for word in defaults:
        if word.startswith("-") and not word[1:2].isdigit():
            is_dropped = _ALIASES.get(word, word) in repeated
        if not is_dropped:
            line.append(word)
    return [*line, *map(str, given)]


SMALL = ("-m", "tiny", "--octaves", "1", "--steps", "1", "-q")
WRITING = {
    "dream": ("dream", "photo.png", *SMALL, "-o", "out.png", "--overwrite"),
    "redo": ("redo", "dreamed.png", "photo.png", "-q", "-o", "out.png", "--overwrite"),
    "variants": ("variants", "photo.png", *SMALL, "--overwrite", "-o", "out.png"),
    "zoom": ("zoom", "photo.png", *SMALL, "-o", "out.gif", "--frames", "2"),
    "film": ("film", "clip", *SMALL, "-o", "out.gif", "--blend", "0"),
    "batch": ("batch", "photo.png", "more", *SMALL, "-o", "out"),
    "sheet": ("sheet", "photo.png", *SMALL, "--layers", "low,high", "-o", "out"),
    "groups": ("groups", "photo.png", *SMALL, "--layers", "low", "--count", "2", "-o", "out"),
    "export": ("export", "web", "-m", "tiny", "-q", "-o", "site", "--overwrite"),
}
"""Commands that write: with `--overwrite`, or such as continue by themselves."""
