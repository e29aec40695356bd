"""What native code writes to file descriptor 2: kept off the screen, and shown if the process crashes.

It goes to a temporary file without a name. A small shell waits for the end of this process and, if that is
a crash, shows the file's last lines: a process that aborts or is killed cannot reliably do so itself.
"""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

_LINES = 60  # that are shown, at most; a trace of Python alone takes some 40

# Descriptor 0 gets a line if this process ends normally, 1 is the screen, 2 reads the file. Ctrl-C reaches
# all processes of a terminal, and the shell must live longer than the one that it watches.
_WATCH = f"""
trap '' INT TERM HUP
read -r ended && exit
printf '%s\\n' "$1"
tail -n {_LINES} <&2 | LC_ALL=C tr -d '\\000-\\010\\013-\\037' | LC_ALL=C cut -c 1-300 | LC_ALL=C sed "$2"
"""
_CRASHED = "dreamkit was killed or crashed in native code; its last messages, if there are any, follow"
_TEXT = f"error: {_CRASHED}", "s/^/  /"
_JSON = (
    f'{{"event": "error", "message": "{_CRASHED}", "exit_code": 134}}',
    r's/[\\"]/\\&/g; s/	/ /g; s/.*/{"event": "native", "message": "&"}/',
)


@contextmanager
def kept(*, as_json: bool = False) -> Iterator[None]:
    """Sends file descriptor 2 to a file that is shown if the process does not leave this context.

    Python's own traces of a crash go there too, unless `faulthandler` is already in use. Without a POSIX
    shell or a temporary folder they go to the screen, and what native code writes is lost.
    """
    with ExitStack() as stack:
        screen = os.dup(2)
        stack.callback(os.close, screen)
        try:
            file = traces = stack.enter_context(_watched_file(screen, *(_JSON if as_json else _TEXT)))
        except OSError:  # a full disk; no shell
            file, traces = stack.enter_context(open(os.devnull, "wb")).fileno(), screen
        os.dup2(file, 2)
        stack.callback(os.dup2, screen, 2)
        if not faulthandler.is_enabled():
            faulthandler.enable(traces)
            stack.callback(faulthandler.disable)
        yield


@contextmanager
def _watched_file(screen: int, message: str, edit: str) -> Iterator[int]:
    """A file to write to. After a crash, `screen` gets `message` and its last lines, edited by sed."""
    if not hasattr(os, "posix_spawn"):
        raise FileNotFoundError("this system, such as Windows, has no POSIX shell")
    import tempfile  # which takes milliseconds, and most commands end before they need it

    file, path = tempfile.mkstemp(prefix="dreamkit-")
    with ExitStack() as stack:
        stack.callback(os.close, file)
        reader = os.open(path, os.O_RDONLY)
        os.unlink(path)  # its descriptors keep it
        ended, end = os.pipe()
        stack.callback(os.close, end)
        try:
            actions = [(os.POSIX_SPAWN_DUP2, source, to) for to, source in enumerate((ended, screen, reader))]
            command = ["sh", "-c", _WATCH, "dreamkit", message, edit]
            watcher = os.posix_spawn("/bin/sh", command, os.environ, file_actions=actions)
        finally:
            os.close(reader)
            os.close(ended)
        try:
            yield file
        finally:
            with suppress(OSError):  # the shell was killed
                os.write(end, b"\n")
            with suppress(ChildProcessError):
                os.waitpid(watcher, 0)
