"""The server of the page: it serves one folder to this machine only."""

from __future__ import annotations

import os
import socket
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any
from urllib.parse import unquote

from dreamkit.errors import first_line
from dreamkit.web.site import SiteError

HOST = "127.0.0.1"

# `blob:` is for the threads of TensorFlow.js, for photographs, and for saved pictures.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval' blob:",
        "worker-src 'self' blob:",
        "connect-src 'self'",
        "img-src 'self' blob: data:",
        "style-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # Without these two headers a page has no shared memory, and TensorFlow.js no threads.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".bin": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".txt": "text/plain; charset=utf-8",
    "": "application/octet-stream",
}


_PATIENCE = 30.0  # seconds for a client to ask, and to take what it asked for
_MOST_CLIENTS = 64  # at once; a browser takes six


class Server(ThreadingHTTPServer):
    """Serves the files that are in `folder` now on loopback; `port` 0 selects a free port. Links and hidden
    files are not served.

    Raises:
        SiteError: the port is in use, or not allowed.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int, most_clients: int = _MOST_CLIENTS) -> None:
        self.folder = folder
        self.files = _files_in(folder)
        self._free = BoundedSemaphore(most_clients)
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise SiteError(
                f"cannot listen on port {port} ({first_line(error)}); choose another with --port "
                "(make: PORT=); 0 selects a free one"
            ) from error

    def server_bind(self) -> None:
        """Takes the port for this program alone. On Windows, what lets others reuse an address lets two
        programs share a port."""
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        if exclusive is not None:
            self.allow_reuse_address = False
            self.socket.setsockopt(socket.SOL_SOCKET, exclusive, 1)
        super().server_bind()

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores connections that the browser closed."""

    def process_request(self, request: Any, client_address: Any) -> None:
        """Hangs up where there are too many clients."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers a client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


def _files_in(folder: Path) -> dict[str, Path]:
    """The files of a site by the paths of their addresses, such as `/models/pocket/model.json`."""
    found: dict[str, Path] = {}
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(where, name)
            if not name.startswith(".") and not path.is_symlink() and path.is_file():
                found[f"/{path.relative_to(folder).as_posix()}"] = path
    if "/index.html" in found:
        found["/"] = found["/index.html"]
    return found


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = _TYPES
    protocol_version = "HTTP/1.1"
    timeout = _PATIENCE
    server: Server

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, directory=str(arguments[2].folder), **options)

    def send_head(self) -> Any:
        """Refuses requests under other host names, which a stranger can point at this machine, and what the
        site does not have."""
        name = self.headers.get("Host", "").partition(":")[0]  # browsers leave out port 80
        if name not in (HOST, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        elif self._address() not in self.server.files:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            return super().send_head()
        return None

    def translate_path(self, path: str) -> str:
        """The file of an address that `send_head` has found."""
        del path
        return str(self.server.files[self._address()])

    def _address(self) -> str:
        return unquote(self.path.partition("?")[0].partition("#")[0])

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Logs nothing, for privacy."""

    def version_string(self) -> str:
        return "dreamkit"
