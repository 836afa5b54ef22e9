"""A real web server on the loopback, with the troubles that real ones have."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """Serves `files` (bytes by path), logs the paths asked for, counts bytes.

    troubles: what the next answers suffer, one each: a status such as 503, ("cut",
    bytes after which the connection breaks), or None; ranges: whether it does them.
    """

    daemon_threads, ranges, sent = True, True, 0

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.log, self.troubles = {}, [], []

    def offer(self, path, content):
        """Serve bytes under a path; returns its address."""
        self.files[path] = content
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, request, client_address):
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a file, or the part of it that the Range header asks for."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and content would wait for each other

    def log_message(self, *_):
        """Keep the output of the tests clean."""

    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.log.append(self.path)
        trouble = server.troubles.pop(0) if server.troubles else None
        content, status = server.files.get(self.path, b""), 200
        if isinstance(trouble, int) or self.path not in server.files:
            content, status = b"", trouble or 404
        elif wanted and server.ranges:
            first, last = wanted.removeprefix("bytes=").split("-")
            size, status = len(content), 206
            start = int(first) if first else max(0, size - int(last))
            content = content[start : int(last) + 1 if first and last else size]
        self.send_response(status)
        if status == 206:
            end = start + len(content) - 1
            self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if isinstance(trouble, tuple):
            content, self.close_connection = content[: trouble[1]], True
        server.sent += len(content)  # before the client can send its next request
        self.wfile.write(content)


@contextmanager
def serving():
    """A Server that runs in a thread while the block runs."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
