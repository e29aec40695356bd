"""What a provider's `load` returns, and its errors in words for users. Keras is not imported here."""

from __future__ import annotations

import traceback
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from dreamkit.errors import DreamkitError, WeightsError, first_line
from dreamkit.models import registry
from dreamkit.models.providers import ModelProvider

# What Python, NumPy and the providers themselves raise for a file that is damaged or of another network.
FILE_ERRORS = OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error
# These raise errors of any type about the file: h5py a RuntimeError, Keras a TypeError for an unknown class.
_FILE_READERS = "h5py.", "keras.src.saving.", "keras.src.legacy.saving."


def of(provider: ModelProvider, weights: Path | None) -> Any:
    """Lets the provider load its network, and check its files.

    Raises:
        WeightsError: the file is damaged or of another network.
        Exception: any other error of the provider is a bug, and gets a note that names its plugin.
    """
    # Keras counts automatic layer names for each thread: in a fresh one `conv2d` is always the first.
    with ThreadPoolExecutor(1) as thread:
        loading = thread.submit(provider.load, weights)
    try:
        return loading.result()
    except DreamkitError:  # its message already says what is wrong with the file
        raise
    except Exception as error:
        if weights is None or not _is_about_the_file(error):
            error.add_note(_who_failed(provider))
            raise
        raise WeightsError(
            f"{weights} does not hold weights of {provider.name} "
            f"({first_line(error).split('. ')[0][:100]}); "
            "give a weights file that was made for this network, or name its network with --model"
        ) from error


def _is_about_the_file(error: Exception) -> bool:
    """Whether an error of a provider's `load` is about its weights file, and not a bug in its code."""
    if isinstance(error, FILE_ERRORS):
        return True
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return str(frame.f_globals.get("__name__", "")).startswith(_FILE_READERS)


def _who_failed(provider: ModelProvider) -> str:
    """One line about a bug in a provider, with the plugin that has it."""
    known = registry.installed()
    plugin = f"plugin {known.owner(provider.name)}" if known.is_registered(provider) else "the provider"
    return f"{plugin} failed to load {provider.name}; this is a bug in its load function"
