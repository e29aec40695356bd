"""Runs a function in a child process with limits, because foreign files and native libraries can crash.

The child's output goes to a log, which is kept only if the child fails. The child reports to its parent
in lines of JSON: `stage` (what it is doing), then `result`, `error` (a wrong input) or `crash`, with the
notes of the exception. If its parent dies, it ends, and removes what both have in the folder for temporary
files.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from threading import Event, Thread, Timer
from typing import IO, Any

from dreamkit.errors import ConvertError, DreamkitError, first_line

OnStage = Callable[[str], None]  # called with what is being done, as in "writing the SavedModel"

# Far above what any real model needs.
BASE_MEMORY, MEMORY_FACTOR = (
    12 << 30,
    20,
)  # a child may take BASE_MEMORY bytes and MEMORY_FACTOR times its model
MAX_SECONDS = 3600
# What Python, C++, TensorFlow and the system end with, in the message or at the end of the log.
_SHORT_OF_MEMORY = re.compile(r"MemoryError|bad_alloc|bad allocation|ResourceExhausted|SIGKILL")
_LOG_END = 4096


def call(
    function: str,
    on_stage: OnStage,
    *,
    model_bytes: int = 0,
    offline: bool = True,
    seconds: int | None = None,
    **arguments: Any,
) -> Any:
    """Calls `function`, written `module:name`, in a child process and returns its result.

    Arguments and result travel as JSON; paths become absolute strings. The function also gets an `on_stage`.
    `model_bytes` is the size of the model that it reads, and raises the limit of memory. Unless it is
    `offline`, it may use the network. It must end after `seconds`, or else `MAX_SECONDS`.

    Raises:
        ConvertError: the function raised it; or it raised something else, its process crashed or reached a
            limit, and the message names the log.
    """
    descriptor, log = tempfile.mkstemp(prefix="dreamkit-convert-", suffix=".log")
    keep_log = False
    try:
        # Libraries leave files in the folder for temporary files: they are removed with this one.
        with (
            os.fdopen(descriptor, "wb") as file,
            tempfile.TemporaryDirectory(prefix="dreamkit-convert-") as scratch,
        ):
            memory = BASE_MEMORY + MEMORY_FACTOR * model_bytes
            job = {"arguments": arguments, "memory": memory, "temporary": [scratch, log]}
            outcome, stage = _run(
                _start(function, file, scratch, offline=offline), job, on_stage, seconds or MAX_SECONDS
            )
        if "result" in outcome:
            return outcome["result"]
        if "error" in outcome:
            raise ConvertError(outcome["error"])
        keep_log = True
        crash = outcome["crash"]
        if _SHORT_OF_MEMORY.search(crash + _end_of(log)):
            crash += "; close other programs, or convert on a machine with more memory"
        raise ConvertError(f"{stage} failed: {crash}; its log is {log}")
    finally:
        if not keep_log:
            os.unlink(log)


def _end_of(log: str) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_END))
        return file.read().decode(errors="replace")


def _start(function: str, log: IO[bytes], scratch: str, *, offline: bool) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, function],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={
            **os.environ,
            **_environment(offline=offline),
            "TMPDIR": scratch,
            "TEMP": scratch,
            "TMP": scratch,
        },
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def _environment(*, offline: bool) -> dict[str, str]:
    """Variables that keep libraries quiet, and `offline`: no proxy listens on port 9."""
    proxies = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY") if offline else ()
    return {
        **dict.fromkeys(proxies, "http://127.0.0.1:9"),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "PYTHONWARNINGS": "default",
    }


def _run(
    child: subprocess.Popen[str], job: dict[str, Any], on_stage: OnStage, seconds: int
) -> tuple[dict[str, Any], str]:
    """Gives a child its job and waits for its end. Returns the outcome and the last stage."""
    assert child.stdin is not None
    assert child.stdout is not None
    timed_out = Event()

    def end() -> None:
        timed_out.set()
        child.kill()

    timer = Timer(seconds, end)
    timer.start()
    outcome: dict[str, Any] = {}
    stage = "the child process"
    try:
        # A line, after which the pipe stays open: its end tells the child that its parent is dead.
        child.stdin.write(json.dumps(job, default=os.path.abspath) + "\n")
        child.stdin.flush()
        for line in child.stdout:
            message = json.loads(line)
            if "stage" in message:
                stage = message["stage"]
                on_stage(stage)
            else:
                outcome = message
        child.wait()
    except BrokenPipeError:
        child.wait()
    finally:
        timer.cancel()
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()
        with suppress(BrokenPipeError):
            child.stdin.close()
    if not outcome:
        outcome = {"crash": _describe_end(child.returncode, seconds if timed_out.is_set() else None)}
    return outcome, stage


def _describe_end(exit_code: int, timed_out_after: int | None) -> str:
    if timed_out_after is not None:
        return f"its process was ended after {timed_out_after} seconds"
    if exit_code < 0:
        return f"its process was ended by signal {-exit_code} ({signal.Signals(-exit_code).name})"
    return f"its process ended with exit code {exit_code}"


def peak_memory() -> int:
    """The most memory that this process or one of its children has used, in bytes; 0 on Windows."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def _limit_memory(limit: int) -> None:
    """Limits this process's memory to `limit` bytes and forbids core dumps."""
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for kind, soft in ((resource.RLIMIT_DATA, limit), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _die_with_parent(temporary: Sequence[str]) -> None:
    """Waits until the parent is dead, removes a folder and a file, and ends this process."""
    os.read(0, 1)  # not sys.stdin, which a thread may not hold while Python ends
    scratch, log = temporary
    shutil.rmtree(scratch, ignore_errors=True)
    with suppress(OSError):
        os.unlink(log)
    os._exit(1)


def _main() -> None:
    """The child: runs the function that the command line names with the job on standard input."""
    module, name = sys.argv[1].split(":")
    job = json.loads(sys.stdin.readline())
    Thread(target=_die_with_parent, args=(job["temporary"],), daemon=True).start()
    _limit_memory(job["memory"])
    # Descriptor 1 becomes the log; only `parent` writes to the parent.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as parent:
        os.dup2(2, 1)

        def send(**message: Any) -> None:
            print(json.dumps(message), file=parent)

        try:
            function = getattr(import_module(module), name)
            result = function(on_stage=lambda stage: send(stage=stage), **job["arguments"])
        except DreamkitError as error:
            send(error=str(error))
        except (Exception, SystemExit) as error:  # some libraries end the process
            import traceback

            traceback.print_exc()
            notes = getattr(error, "__notes__", ())
            send(crash="; ".join([f"{type(error).__name__}: {first_line(error)[:200]}", *notes]))
        else:
            send(result=result)
        sys.stdout.flush()
        sys.stderr.flush()
    # Threads of native libraries can crash at a regular exit, and there is nothing left to clean up.
    os._exit(0)


if __name__ == "__main__":
    _main()
