"""What the user sees: one line for each thing, on stderr; nothing of anyone else's."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import typer

from dreamkit.engine import interrupts
from dreamkit.errors import DreamkitWarning, Interrupted, shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from dreamkit.engine.progress import StepEvent
    from dreamkit.jobs.batch import BatchProgress, JobStep
    from dreamkit.jobs.cells import CellProgress
    from dreamkit.jobs.frame_store import FrameProgress

_verbose = False
_ended_by = 0  # the signal
_as_json = False


def log_as_json(wanted: bool) -> None:
    """Whether every event is a line of JSON, for programs, instead of what people read."""
    global _as_json
    _as_json = wanted


def is_json() -> bool:
    """Whether events are shown as JSON."""
    return _as_json


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Writes lines to stdout, or to stderr: the one place where text from files, of whatever kind, meets the
    screen. Characters that a terminal would obey are escaped."""
    typer.echo(_plain(text), err=err, nl=nl)


def _plain(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else ascii(each)[1:-1] for each in text)


def event(what: str, **about: Any) -> None:
    """Says that something happened, as a line of JSON on stderr: when, what, and what belongs to it."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    say(json.dumps({"time": now, "event": what, **about}), err=True)


@contextmanager
def ended_as_by_ctrl_c() -> Iterator[None]:
    """Lets the other signals that end a process do what Ctrl-C does. A process that ignores one, as with
    `nohup`, goes on ignoring it."""
    global _ended_by
    _ended_by = 0

    def end(number: int, _: object) -> None:
        global _ended_by
        _ended_by = number
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Python takes handlers nowhere else
        yield
        return
    before = {}
    for number in interrupts.ending():
        if signal.getsignal(number) != signal.SIG_IGN:
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted_code() -> int:
    """The exit code of an interruption: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP, 149
    after Ctrl-Break."""
    return 128 + (_ended_by or signal.SIGINT)


def error(message: str, exception: BaseException | None = None, *, code: int = 2) -> None:
    """Shows an error, after which the process exits with `code`; with `-v`, what led to it."""
    if _verbose and exception is not None:
        traceback.print_exception(exception, file=sys.stderr)
    if _as_json:
        event("error", message=message, exit_code=code)
    else:
        say(f"error: {message}", err=True)


def warning(message: str) -> None:
    """Shows a warning."""
    if _as_json:
        event("warning", message=message)
    else:
        say(f"warning: {message}", err=True)


def table(rows: Sequence[Sequence[object]], header: Sequence[str], *, err: bool = False) -> None:
    """Aligned columns on stdout, or on stderr, fit for pipes: never wrapped or cut."""
    lines = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip(), err=err)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Shows our own warnings as lines. Other libraries' are for developers: shown with `-v` only."""

    def show(message: Warning | str, category: type[Warning], *rest: Any) -> None:
        if issubclass(category, DreamkitWarning):
            warning(str(message))
        elif _verbose:
            sys.stderr.write(warnings.formatwarning(message, category, *rest[:2]))

    with warnings.catch_warnings():
        warnings.simplefilter("always", DreamkitWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield


@contextmanager
def own_lines_only(*, verbose: bool) -> Iterator[None]:
    """Keeps what native code writes to file descriptor 2 off the screen, unless the process crashes.

    `sys.stderr` still goes to the screen.
    """
    global _verbose
    _verbose = verbose
    from dreamkit.engine import process

    process.own()
    if verbose:
        yield
        return
    import logging

    from dreamkit.cli import native_output, streams

    sys.stderr.flush()
    python_stderr = sys.stderr
    # Where Python's stderr is the descriptor itself, it moves to a copy; a test's replacement stays.
    own = streams.forgiving(_copy_of_stderr()) if _is_descriptor_2(sys.stderr) else None
    try:
        with native_output.kept(as_json=_as_json):
            sys.stderr = own or python_stderr
            logging.disable(logging.ERROR)
            yield
    finally:
        logging.disable(logging.NOTSET)
        sys.stderr = python_stderr
        if own is not None:
            own.close()


def _copy_of_stderr() -> TextIO:
    return os.fdopen(os.dup(2), "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")


def _is_descriptor_2(stream: Any) -> bool:
    try:
        return bool(stream.fileno() == 2)
    except (OSError, AttributeError, ValueError):
        return False


def duration(seconds: float) -> str:
    """In words, to two digits or so."""
    if seconds < 90:
        return f"{seconds:.2g} seconds" if seconds < 10 else f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _of_step(step: StepEvent | JobStep) -> dict[str, Any]:
    return {
        "octave": step.octave,
        "octaves": step.octaves,
        "step": step.step,
        "steps": step.steps,
        "objective": step.objective,
        "done": round(step.done, 4),
    }


@contextmanager
def continuing() -> Iterator[None]:
    """Ctrl-C says that the same command continues, unless what it interrupts has more to say."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted("interrupted; the same command continues from here") from None


class Meter:
    """Progress on stderr: a live bar on a terminal, a line for each octave elsewhere, nothing when quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._json = _as_json and not quiet
        self._live = not quiet and not _as_json and sys.stderr.isatty()
        self._lines = not quiet and not _as_json and not self._live
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Meter:
        if self._live:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._progress = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=None),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._progress is not None:
            self._progress.stop()

    def doing(self, what: str) -> None:
        """Names what is being waited for."""
        if self._json:
            event("doing", task=what)
        self._show(what, total=None, completed=0, note="")

    def task(self, what: str) -> None:
        """Names what is being waited for; where nothing moves on a screen, as a line."""
        self.doing(what)
        if self._lines:
            say(what, err=True)

    def download(self, done: int, total: int) -> None:
        """Shows a download, in bytes."""
        self._show("fetching weights", total=total or None, completed=done, note=f"{done / 1e6:.0f} MB")

    def picture(self, done: int, total: int) -> None:
        """Shows how many pictures were looked at."""
        if self._json:
            event("picture", done=done, total=total)
        self._show(f"picture {done}/{total}", total=total, completed=done, note="")

    def step(self, step: StepEvent) -> None:
        """Shows a step of the dream."""
        height, width = step.size
        if self._json:
            event("step", **_of_step(step), width=width, height=height)
        self._show(
            f"octave {step.octave}/{step.octaves} ({width} x {height}) step {step.step}/{step.steps}",
            total=1.0,
            completed=step.done,
            note=f"objective {step.objective:.3g}",
        )
        if self._lines and step.step == step.steps:
            say(
                f"octave {step.octave}/{step.octaves} ({width} x {height}): objective {step.objective:.3g}",
                err=True,
            )

    def frame(self, progress: FrameProgress) -> None:
        """Shows a frame of a film; without a live bar, the first, the last and every tenth."""
        done, total = progress.done, progress.total
        if self._json:
            event("frame", done=done, total=total, path=str(progress.path), resumed=progress.resumed)
        self._show(f"frame {done}/{total}", total=total, completed=done, note=str(progress.path))
        if self._lines and progress.resumed:
            say(f"continuing from frame {done}/{total}, in {progress.path.parent}", err=True)
        elif self._lines and (done in (1, total) or done % max(10, total // 10) == 0):
            say(f"frame {done}/{total}", err=True)

    def job(self, progress: BatchProgress) -> None:
        """Shows a batch; without a live bar, every tenth of it."""
        done, total = progress.done, progress.total
        step = progress.step
        if self._json and step is not None:
            event("step", output=progress.output, **_of_step(step))
        elif self._json:
            said = {"why": progress.why} if progress.why else {}
            event("failed" if said else "dreamed", output=progress.output, done=done, total=total, **said)
        failed = f", {progress.failed} failed" if progress.failed else ""
        self._show(f"{done}/{total}{failed}", total=1.0, completed=progress.share, note=progress.output)
        if not self._lines or progress.step is not None:
            return
        if done in (1, total) or done % max(10, total // 10) == 0:
            say(f"{done}/{total}{failed}", err=True)

    def cell(self, progress: CellProgress) -> None:
        """Shows a sheet: one bar for all of it, or a line for each finished cell."""
        if self._json and progress.finished:
            event("cell", name=progress.name, number=progress.number, total=progress.total)
        what = f"cell {progress.number}/{progress.total}: {shown(progress.name)}"
        done = (progress.number - 1 + progress.share) / progress.total
        self._show(what, total=1.0, completed=done, note="")
        if self._lines and progress.finished:
            say(what, err=True)

    def _show(self, what: str, *, total: float | None, completed: float, note: str) -> None:
        if self._progress is None:
            return
        if self._task is None:
            self._task = self._progress.add_task(what, note=note)
        task = self._progress.tasks[0]
        if task.total != total:  # another kind of work: time left is learned afresh
            self._progress.reset(self._task, total=total)
        self._progress.update(self._task, description=what, total=total, completed=completed, note=note)
