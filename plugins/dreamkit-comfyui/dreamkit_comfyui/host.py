"""All that the nodes use of ComfyUI: its progress bar and previews, its interruption, its folder of inputs.

ComfyUI's modules are imported where they are used, so that this package can be imported without it.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from PIL import Image

from .process import DreamkitError

_PARTS = 1000  # of the progress of one picture
_SIDE = 512  # pixels of a preview
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff")


class Progress:
    """ComfyUI's progress bar and preview, for several pictures one after another."""

    def __init__(self, count: int) -> None:
        from comfy.utils import ProgressBar

        self._bar = ProgressBar(count * _PARTS)
        self._finished = 0

    def show(self, done: float, path: Path) -> None:
        """Shows the share of a picture that is done, and the file at `path`."""
        preview = None
        with suppress(OSError), Image.open(path) as image:  # it may be gone by now
            preview = ("JPEG", image.convert("RGB"), _SIDE)
        self._bar.update_absolute(round((self._finished + done) * _PARTS), preview=preview)

    def next(self) -> None:
        """A picture is finished."""
        self._finished += 1
        self._bar.update_absolute(self._finished * _PARTS)


def check_interrupted() -> None:
    """Raises ComfyUI's own exception where its user has stopped the workflow."""
    from comfy.model_management import throw_exception_if_processing_interrupted

    throw_exception_if_processing_interrupted()


def input_files() -> list[str]:
    """The pictures in ComfyUI's folder of inputs."""
    import folder_paths

    folder = Path(folder_paths.get_input_directory())
    return sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)


def input_file(name: str) -> Path:
    """The path of a picture in ComfyUI's folder of inputs.

    Raises:
        DreamkitError: there is none.
    """
    import folder_paths

    plain = not Path(name).is_absolute() and ".." not in Path(name).parts
    if not plain or not folder_paths.exists_annotated_filepath(name):
        raise DreamkitError(f"{name} is not in ComfyUI's input folder; choose another picture")
    return Path(folder_paths.get_annotated_filepath(name))
