"""How dreamkit opens picture files with Pillow: its formats, its limits, and EXIF that may be damaged."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from dreamkit.errors import ImageError

# Pillow can open more formats, but passes some of them to other programs.
READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "TGA", "JPEG2000")
_settings_lock = threading.RLock()


@contextmanager
def own_limits() -> Iterator[None]:
    """Pillow without its own limit of pixels, because the user can raise ours, and without its warnings.

    Both are settings of the whole process, so one thread reads at a time.
    """
    with _settings_lock:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", module=r"PIL\.")
                yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def existing_file(path: str | os.PathLike[str]) -> Path:
    """`path`, if it is a file; a pipe, which would be waited on for ever, is not.

    Raises:
        ImageError: it is a URL, a folder, or does not exist.
    """
    if str(path).startswith(("http://", "https://")):
        raise ImageError(f"{path} is an address; download the picture first")
    # Path's own methods raise for a name that no file can have; these answer no.
    if not os.path.isfile(path):
        what = "is a folder, not a picture" if os.path.isdir(path) else "does not exist"
        raise ImageError(f"{path} {what}; give the path of a picture")
    return Path(path)


def exif(image: Image.Image) -> Mapping[int, Any]:
    """A picture's EXIF entries by tag; none if they are damaged."""
    try:
        return dict(image.getexif())
    except Exception:  # damaged EXIF makes Pillow raise nearly anything; the picture is still good
        return {}
