"""The server of the page: it serves one folder to this machine only."""

from __future__ import annotations

from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

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
    ".jpg": "image/jpeg",
    ".txt": "text/plain; charset=utf-8",
    "": "application/octet-stream",
}


class Server(ThreadingHTTPServer):
    """Serves `folder` on loopback; `port` 0 selects a free port.

    Raises:
        SiteError: the port is in use, or not allowed.
    """

    daemon_threads = True

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        try:
            super().__init__((HOST, port), _Handler)
        except (OSError, OverflowError) as error:
            raise SiteError(
                f"cannot listen on port {port} ({first_line(error)}); choose another with --port "
                "(make: PORT=); 0 selects a free one"
            ) from error

    @property
    def address(self) -> str:
        """The URL of the page."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignores connections that the browser closed."""


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = _TYPES
    protocol_version = "HTTP/1.1"
    server: Server

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, directory=str(arguments[2].folder), **options)

    def send_head(self) -> Any:
        """Refuses requests under other host names, which a stranger can point at this machine."""
        name = self.headers.get("Host", "").rpartition(":")[0]
        if name not in (HOST, "localhost"):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return None
        return super().send_head()

    def list_directory(self, path: Any) -> Any:
        """Refuses to list folders."""
        del path
        self.send_error(HTTPStatus.NOT_FOUND)

    def end_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        """Logs nothing, for privacy."""

    def version_string(self) -> str:
        return "dreamkit"
