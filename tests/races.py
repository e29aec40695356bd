"""Races for tests: commands that run at the same time, each in a process of its own.

TensorFlow takes seconds to import, so one process imports it and is forked for each command. It reads lines
of JSON from stdin, `{"folder": ..., "home": ..., "commands": [[...], ...]}`, runs the commands at once, and
writes a line `[[exit code, stderr], ...]` after all have ended.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from faults import run_in_this_process


def main() -> None:
    """Serves races until stdin ends."""
    from dreamkit.engine import process

    process.own()
    import tensorflow  # noqa: F401

    from dreamkit.engine import loop  # noqa: F401
    from dreamkit.executors import executor
    from dreamkit.jobs import batch, film, sheet, zoom  # noqa: F401
    from dreamkit.web import site  # noqa: F401

    # Workers of their own would import TensorFlow again.
    executor.Executor.run = run_in_this_process  # type: ignore[method-assign]
    print("ready", flush=True)
    for line in sys.stdin:
        race = json.loads(line)
        with tempfile.TemporaryDirectory() as told:
            begin, start = os.pipe()
            children = [
                (_forked(race, command, Path(told, str(number)), begin, start), Path(told, str(number)))
                for number, command in enumerate(race["commands"])
            ]
            os.close(begin)
            os.close(start)  # at which all of them begin
            ended = [
                [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), told.read_text()]
                for child, told in children
            ]
        print(json.dumps(ended), flush=True)


def _forked(race: dict[str, str], command: list[str], told: Path, begin: int, start: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        os.close(start)
        null, file = os.open(os.devnull, os.O_RDWR), os.open(told, os.O_WRONLY | os.O_CREAT)
        for descriptor, target in ((null, 0), (null, 1), (file, 2)):
            os.dup2(descriptor, target)
        os.chdir(race["folder"])
        os.environ["DREAMKIT_HOME"] = race["home"]
        os.read(begin, 1)
        from dreamkit.cli import main as dreamkit

        dreamkit(command)
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
