"""Work with foreign files and noisy libraries in a child process: limited, quiet, and unable to end ours.

A child runs one function. What the libraries print goes to a log, which is kept where the
child failed. It tells its parent, one JSON line at a time, what it is doing and what came out.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from threading import Timer
from typing import IO, Any

from dreamkit.errors import ConvertError, DreamkitError, first_line

Tell = Callable[[str], None]

# What a child may take before it is ended: nothing real comes near, and a hostile file goes no further.
MEMORY = 12 << 30  # bytes of its own, and twenty times its model
SECONDS = 3600


def call(function: str, tell: Tell, *, model_bytes: int = 0, **arguments: Any) -> Any:
    """What `function`, written `module:name`, returns when it runs in a child process.

    Its arguments and what it returns are JSON, but for paths, which arrive absolute; it is given a `tell` of
    its own beside them. `model_bytes` is the size of what it reads, to which its limit of memory is set.

    Raises:
        ConvertError: the function raised, or its process was ended. The line names the log.
    """
    descriptor, log = tempfile.mkstemp(prefix="dreamkit-convert-", suffix=".log")
    keep = False
    try:
        # What libraries leave in the folder for temporary files goes with it.
        with (
            os.fdopen(descriptor, "wb") as file,
            tempfile.TemporaryDirectory(prefix="dreamkit-convert-") as own,
        ):
            answer, doing = _run(function, file, own, tell, MEMORY + 20 * model_bytes, arguments)
        if "result" in answer:
            return answer["result"]
        if "wrong" in answer:
            raise ConvertError(answer["wrong"])
        keep = True
        raise ConvertError(f"{doing} failed: {answer['failed']}; its log is {log}")
    finally:
        if not keep:
            os.unlink(log)


def _run(
    function: str, log: IO[bytes], folder: str, tell: Tell, memory: int, arguments: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The last thing the child said, and what it was doing then."""
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", __name__, function],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, **_environment(), "TMPDIR": folder, "TEMP": folder, "TMP": folder},
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    overtime = Timer(SECONDS, child.kill)
    overtime.start()
    assert child.stdin is not None
    assert child.stdout is not None
    said: dict[str, Any] = {}
    doing = "the child process"
    try:
        json.dump({"arguments": arguments, "memory": memory}, child.stdin, default=os.path.abspath)
        child.stdin.close()
        for line in child.stdout:
            said = json.loads(line)
            if "doing" in said:
                doing = said["doing"]
                tell(doing)
        child.wait()
    except BrokenPipeError:
        child.wait()
    finally:
        late = not overtime.is_alive()
        overtime.cancel()
        if child.poll() is None:
            child.kill()
            child.wait()
        child.stdout.close()
    if said.keys() & {"result", "wrong", "failed"}:
        return said, doing
    if late:
        how = f"after {SECONDS} seconds"
    elif child.returncode < 0:
        how = f"by signal {-child.returncode} ({signal.Signals(-child.returncode).name})"
    else:
        how = f"with exit code {child.returncode}"
    return {"failed": f"its process was ended {how}"}, doing


def _environment() -> dict[str, str]:
    """No proxy answers on port 9, so a library that wants to fetch something hears so at once."""
    nowhere = "http://127.0.0.1:9"
    return {
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
        "PYTHONWARNINGS": "default",
    }


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def peak_memory() -> int:
    """The most memory that this process and its children took so far, in bytes; 0 where it cannot be told."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )


def _main() -> None:
    module, name = sys.argv[1].split(":")
    job = json.load(sys.stdin)
    _limit(job["memory"])
    # Descriptor 1 becomes the log's; we alone keep the way to the parent.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as parent:
        os.dup2(2, 1)

        def say(**what: Any) -> None:
            print(json.dumps(what), file=parent)

        try:
            function = getattr(import_module(module), name)
            result = function(tell=lambda doing: say(doing=doing), **job["arguments"])
        except DreamkitError as error:
            say(wrong=str(error))
        except Exception as error:
            import traceback

            traceback.print_exc()
            say(failed=f"{type(error).__name__}: {first_line(error)[:200]}")
        else:
            say(result=result)
        sys.stdout.flush()
        sys.stderr.flush()
    # Native libraries' threads may not survive a tidy end, and there is nothing left to tidy.
    os._exit(0)


if __name__ == "__main__":
    _main()
