"""Faults for tests: files damaged at random, signals at a given moment, locks held by another process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path


def mutated(data, draw, numbers, texts):
    """`data` with one or two faults: a flipped bit, a cut, a repetition, random bytes, one of `numbers` in
    place of a byte, one of `texts` three thousand times."""
    data = bytearray(data)
    for _ in range(draw.randint(1, 2)):
        at, length = draw.randrange(len(data) + 1), draw.randint(1, 40)
        match draw.randrange(8):
            case 0 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                del data[at:]
            case 2:
                del data[at : at + length]
            case 3:
                data[at:at] = data[at : at + length] * draw.randint(1, 60)
            case 4:
                other = draw.randrange(len(data) + 1)
                data[at:at] = data[other : other + length]
            case 5:  # a length or a number far too large
                data[at : at + 1] = draw.choice(numbers)
            case 6:
                data[at:at] = draw.choice(texts) * 3000
            case 7:
                data[at:at] = bytes(draw.randrange(256) for _ in range(length))
        data = data or bytearray(b"\0")
    return bytes(data)


def signal_when(process, due, number):
    """Sends a process a signal as soon as `due()` is true, unless it ends before."""
    while not due():
        try:
            process.wait(timeout=0.002)
            return
        except subprocess.TimeoutExpired:
            pass
    process.send_signal(number)


def children(pid, named=""):
    """The child processes of `pid` whose command lines contain `named`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, parent, *_ = path.read_text().rpartition(")")[2].split()
            command = path.with_name("cmdline").read_text()
        except OSError:
            continue
        if int(parent) == pid and named in command:
            found.append(int(path.parent.name))
    return found


@contextmanager
def held_by_another_process(path):
    """A lock file that another process holds, which is killed at the end."""
    program = (
        "import sys; from pathlib import Path; from dreamkit.media import locks\n"
        "with locks.exclusive(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def run_in_this_process(executor, worker, chains, on_event, **_):
    """In place of `Executor.run`: the work of a pool of one, in this process."""
    from dreamkit.executors.executor import run_here

    run_here(worker, chains, on_event)
    return 1, 1
