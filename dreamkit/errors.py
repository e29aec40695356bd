"""What dreamkit raises where a user's input is wrong: one clear line, shown without a traceback.

Each message says what was given, what is possible and what to do. Anything that is not a
`DreamkitError` is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


class DreamkitError(Exception):
    """The one base of everything a user can cause and mend."""

    exit_code = 1


class ConfigError(DreamkitError):
    """An option has a value that makes no sense."""


class UsageError(ConfigError):
    """The command line itself is wrong: too many pictures, options that exclude each other."""

    exit_code = 2


class RecipeError(DreamkitError):
    """A recipe is not there or cannot be read, or something that it is made of is missing."""


class ImageError(DreamkitError):
    """A picture cannot be read or written."""


class OutputExistsError(ImageError):
    """A file is in the way, and was not given up with `--overwrite`."""


class StoreError(DreamkitError):
    """A store, or a file at a URL, cannot be written to or read from."""


class ModelError(DreamkitError):
    """A model is unknown or cannot be dreamed with."""


class LayerError(DreamkitError):
    """A layer term names no layer of the network."""


class PluginError(DreamkitError):
    """A plugin's code raised an error during a dream."""


class WeightsError(DreamkitError):
    """A weights file is missing, damaged or of another network."""


class ConceptError(DreamkitError):
    """A concept is not there, cannot be read or learned, or is of another network."""


class ConvertError(DreamkitError):
    """A model of another framework cannot be read, or does what we cannot say."""


class NumericError(DreamkitError):
    """The network returned something that is not a number."""


class NetworkMemoryError(DreamkitError):
    """The machine has too little memory for one batch of tiles."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a dream. It is not a `DreamkitError`, so that `except DreamkitError` does not swallow it.

    `pixels` is the picture so far, uint8 `(height, width, 3)`, and `state` the `engine.progress.DreamState`
    after its last whole step; both are None before there is any.
    """

    exit_code = 130

    def __init__(
        self,
        message: str,
        pixels: NDArray | None = None,  # type: ignore[type-arg]
        state: Any = None,
    ) -> None:
        super().__init__(message)
        self.pixels = pixels
        self.state = state


class DreamkitWarning(UserWarning):
    """Something worth a line that stops nothing."""


def did_you_mean(given: str, possible: Iterable[str], *, show: int = 8) -> str:
    """The end of a message: the near misses of `given`, or else the first of what is possible."""
    import difflib  # only errors need it, and start-up counts

    names = list(possible)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    if not names:
        return "there are none"
    more = f" and {len(names) - show} more" if len(names) > show else ""
    return f"choose from {', '.join(names[:show])}{more}"


def shown(text: str, most: int = 60) -> str:
    """`text` out of a file, fit for one line of a message: printable, at most `most` characters."""
    text = text if len(text) <= most else text[: most - 3] + "..."
    return text if text.isprintable() else ascii(text)[1:-1]


def first_line(error: BaseException) -> str:
    """The first line of what an error says, for quoting another library inside one of our lines."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror  # without its number, and the path that our line names
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
