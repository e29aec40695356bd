"""An HTTP server on the loopback interface that answers as a test decides."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event

import numpy as np

# A little over three of the pieces that a download comes in.
BODY = np.random.default_rng(0).bytes(200_001)


def head(handler, length):
    handler.send_response(200)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def good(handler):
    head(handler, len(BODY))
    handler.wfile.write(BODY)


def with_ranges(handler, body=BODY, version='"1"', upto=None):
    """Answers with the rest of a file if the client began with the same version, else with all of it."""
    begin = 0
    asked = handler.headers.get("Range", "")
    if asked and handler.headers.get("If-Range") == version:
        begin = int(asked.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(body):
            handler.send_error(416)
            return
    handler.send_response(206 if begin else 200)
    if begin:
        handler.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
    handler.send_header("Content-Length", str(len(body) - begin))
    handler.send_header("ETag", version)
    handler.end_headers()
    # Noted before the last byte is there, since the client may look at once.
    handler.server.sent.append((begin, upto or len(body)))
    handler.wfile.write(body[begin:upto])


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.answer(self)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    """Answers every request by `answer`, and keeps the requested paths in `asked`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = good
        self.asked = []
        self.sent = []
        self.over = Event()

    def handle_error(self, request, client_address):
        pass  # a client that hung up

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/tiny.h5"
