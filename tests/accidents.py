"""What befalls files and processes: changes at random, and signals at a given moment."""

from __future__ import annotations

import subprocess
from pathlib import Path


def mutated(data, draw, numbers, texts):
    """`data` with one or two accidents: bits, cuts, repetitions, bytes, one of `numbers` in place of a byte,
    thousands of one of `texts`."""
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
    """Sends a process a signal once `due()` is so; nothing to one that has ended before."""
    while not due():
        try:
            process.wait(timeout=0.002)
            return
        except subprocess.TimeoutExpired:
            pass
    process.send_signal(number)


def children(pid, named=""):
    """The processes that a process has started, with `named` in their command lines."""
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
