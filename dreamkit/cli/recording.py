"""A dream as it grows: a film of it, and the picture so far in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamkit.errors import ImageError

if TYPE_CHECKING:
    from dreamkit.engine.progress import StepEvent
    from dreamkit.media.video_writer import Writer
    from dreamkit.request import DreamRequest

SO_FAR_SIDE = 512  # pixels, the longest of a picture so far, so that writing it takes little beside a step
_HELD = 30  # frames that show the finished dream


class Recording:
    """Passes step events on, and makes frames of them where there is a film."""

    def __init__(
        self, on_step: Callable[[StepEvent], None], film: Writer | None, size: tuple[int, int]
    ) -> None:
        self._on_step, self._film, self._size = on_step, film, size

    def step(self, step: StepEvent) -> None:
        """The `on_step` of a session."""
        self._on_step(step)
        if self._film is not None:
            from dreamkit.engine.resize import resize

            pixels = step.pixels if step.size == self._size else resize(step.pixels, self._size)
            self._film.add(pixels.clip(0, 255).round().astype("uint8"))

    def end(self, pixels: Any) -> None:
        """The finished dream, for a second."""
        if self._film is not None:
            for _ in range(_HELD):
                self._film.add(pixels[..., :3])


@contextmanager
def recorded(
    path: Path | None, request: DreamRequest, on_step: Callable[[StepEvent], None], *, overwrite: bool
) -> Iterator[Recording]:
    """A film of the dream at `path`, or none."""
    if path is None:
        yield Recording(on_step, None, request.size)
        return
    from dreamkit.media.video_writer import Writer

    with Writer(path, request.size, overwrite=overwrite) as film:
        yield Recording(on_step, film, request.size)


def shown_so_far(path: Path | None, on_step: Callable[[StepEvent], None]) -> Callable[[StepEvent], None]:
    """`on_step`, before which the file at `path` shows the picture so far; `on_step` itself without one."""
    if path is None:
        return on_step

    def show(step: StepEvent) -> None:
        from dreamkit.engine.octaves import scaled
        from dreamkit.engine.resize import resize
        from dreamkit.media import image_writer

        ratio = min(1.0, SO_FAR_SIDE / max(step.size))
        pixels = step.pixels if ratio == 1 else resize(step.pixels, scaled(step.size, ratio))
        with suppress(ImageError):  # on Windows, whoever reads it holds it; the dream goes on
            image_writer.write(path, pixels.clip(0, 255).round().astype("uint8"), overwrite=True)
        on_step(step)

    return show
