"""A default dream, tried in a process of its own: TensorFlow, its devices, and what the dream would take.

TensorFlow can end a process, on a processor that it was not built for or where memory is short. So it is not
imported in the process that says what was found. The trial keeps nothing: its cache is a folder that goes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from dreamkit.errors import first_line, shown
from dreamkit.installation import gpu_command
from dreamkit.jobs.doctor.finding import BROKEN, MISSING, OK, UNKNOWN, Finding
from dreamkit.media import free_memory

MOST_SECONDS = 300
_DRIVER = "/proc/driver/nvidia/version"  # of NVIDIA, on Linux
_NOT_ASKED = "not asked; leave out --quick"


class Trial:
    """A default dream that is planned in another process, which starts at once."""

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="dreamkit-doctor-", ignore_cleanup_errors=True)
        # With the parent's own paths, so that it imports the same packages, however the parent was started.
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "DREAMKIT_HOME": self._home.name},
            text=True,
            errors="replace",
        )

    def __enter__(self) -> Trial:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()
        self._home.cleanup()

    def result(self) -> dict[str, Any]:
        """What the child told: `tensorflow`, `machine`, `gpus` and `plan`, or `error` in place of more."""
        try:
            out, err = self._child.communicate(timeout=MOST_SECONDS)
        except subprocess.TimeoutExpired:
            return {"error": f"it did not answer within {MOST_SECONDS} seconds"}
        found: dict[str, Any] = {}
        for line in out.splitlines():
            if line.startswith("{"):
                found |= json.loads(line)
        if self._child.returncode and "error" not in found:
            found["error"] = _ending(self._child.returncode, err)
        return found


def _ending(code: int, log: str) -> str:
    last = next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")
    how = f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"
    return f"its process ended with {how}" + (f": {shown(last, 200)}" if last else "")


def findings(found: dict[str, Any] | None) -> Iterator[Finding]:
    """What a trial found; None where there was none."""
    if found is None:
        for what in ("TensorFlow", "GPU", "default dream"):
            yield Finding(what=what, state=UNKNOWN, about=_NOT_ASKED, needed=what != "GPU")
        yield _memory(None)
        return
    error = found.get("error", "")
    if "tensorflow" not in found:
        yield Finding(what="TensorFlow", state=BROKEN, about=f"does not start: {error}", needed=True)
        yield Finding(what="GPU", state=UNKNOWN, about="TensorFlow does not start")
    else:
        yield _tensorflow(found)
        yield _gpus(found["gpus"])
    yield _dream(found.get("plan"), error)
    yield _memory(found.get("plan"))


def _tensorflow(found: dict[str, Any]) -> Finding:
    version, machine = found["tensorflow"], found["machine"]
    threads = f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}"
    return Finding(
        what="TensorFlow",
        state=OK,
        about=f"{version}, {threads} on {machine['processor']}",
        needed=True,
        facts={"version": version, **machine},
    )


def _gpus(names: list[str]) -> Finding:
    if names:
        return Finding(what="GPU", state=OK, about=", ".join(names), facts={"gpus": names})
    has_driver = os.path.exists(_DRIVER)
    return Finding(
        what="GPU",
        state=MISSING,
        about="TensorFlow finds none; dreams run on the processor"
        + (", though NVIDIA's driver is installed" if has_driver else ""),
        command=gpu_command() if has_driver else "",
        facts={"gpus": []},
    )


def _dream(plan: dict[str, Any] | None, error: str) -> Finding:
    if plan is None:
        return Finding(what="default dream", state=BROKEN, about=error or "was not planned", needed=True)
    height, width = plan["size"]
    return Finding(
        what="default dream",
        state=OK,
        about=f"about {plan['seconds']:.0f} seconds for {width} x {height} pixels by {plan['model']}",
        needed=True,
        facts=plan,
    )


def _memory(plan: dict[str, Any] | None) -> Finding:
    """The memory that is free, and what the planned dream takes."""
    free = free_memory.available()
    is_known = free < sys.maxsize
    needed = plan["bytes"] if plan is not None else 0
    too_little = free_memory.too_little_for(needed) if needed else ""
    takes = (
        f"a default dream takes about {needed / 1e9:.2f} GB" if needed else "what a dream takes is unknown"
    )
    there = f"{free / 1e9:.1f} GB are free" if is_known else "this system does not say how much is free"
    return Finding(
        what="memory",
        state=BROKEN if too_little else OK if needed and is_known else UNKNOWN,
        about=f"a default dream {too_little}" if too_little else f"{there}; {takes}",
        needed=True,
        facts={"free_bytes": free if is_known else None, "needed_bytes": needed or None},
    )


def main() -> None:
    """The child: writes what it finds as lines of JSON, so that what came before a crash is known."""

    def tell(**found: Any) -> None:
        print(json.dumps(found), flush=True)  # noqa: T201 - the parent reads it

    from dreamkit.engine import process

    process.own()
    try:
        from importlib.metadata import version

        from dreamkit.engine.tensorflow_import import import_tensorflow

        import_tensorflow()
        from dreamkit.engine.tf import machine, private

        tell(tensorflow=version("tensorflow"), machine=machine.describe(), gpus=_names(private.gpus()))
        from dreamkit.request import make_request
        from dreamkit.session import Session

        request = make_request()
        plan = Session(request).plan()
        tell(
            plan={
                "model": request.names,
                "size": request.size,
                "seconds": plan.seconds,
                "bytes": plan.memory.total,
                "tile_size": plan.tile_size,
            }
        )
    except Exception as error:
        tell(error=f"{type(error).__name__}: {shown(first_line(error), 300)}")


def _names(devices: list[str]) -> list[str]:
    """The names of GPUs as their maker calls them."""
    if not devices:
        return []
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(each).get("device_name", each.name) for each in found]
