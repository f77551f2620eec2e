"""A web server on the loopback that answers as it is told: what an object store, or a metadata service, might say."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Answer:
    """A status and a body; `broken` closes the connection in the middle of it."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False


def xml_error(status: int, code: str) -> Answer:
    """Answer as S3 and Azure do."""
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>Some words.</Message></Error>"
    return Answer(status, text.encode(), {"Content-Type": "application/xml"})


@contextmanager
def answering(answer: Callable[[str, str], Answer]) -> Iterator[str]:
    """Run a server that answers each request by its method and path; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def respond(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            given = answer(self.command, self.path)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(given.body) + (100 if given.broken else 0)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)
            self.close_connection = given.broken

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = respond  # noqa: N815  the names of the base class

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
