"""A real web server on this machine's loopback, with the troubles that real ones
have.
"""

import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from toolbox.clips.ucf101 import Source


class Server(ThreadingHTTPServer):
    """Serves `files` (bytes by path) and keeps the requests as (path, Range header) in
    `log`.

    troubles: what the next answers suffer, one each: {"status": 503}, {"cut": bytes
    after which the connection breaks}, {"stall": seconds of silence in the middle},
    {"redirect": path}; ranges: whether the server does ranges; pause: seconds before
    every 4 kB of an answer; nameless: whether answers lack their length.
    """

    daemon_threads = True
    scheme = "http"

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.log, self.troubles, self.sent = {}, [], [], 0
        self.ranges, self.pause, self.nameless = True, 0, False

    def url(self, path):
        """The address of a path of this server."""
        return f"{self.scheme}://127.0.0.1:{self.server_port}{path}"

    def offer(self, path, content):
        """Serve bytes under a path; returns the Source that promises just these
        bytes.
        """
        self.files[path] = content
        return Source(self.url(path), len(content), sha256(content).hexdigest())

    def encrypt(self, folder):
        """Speak HTTPS from now on, with a certificate (made in `folder`) that nobody
        signed.
        """
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1"
        )
        subprocess.run(
            [*command.split(), "-out", certificate, "-keyout", key],
            check=True,
            capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.scheme = "https"

    def handle_error(self, request, client_address):
        """Clients that hang up are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    """Answers GET with a file, or the part of it that the Range header asks for."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Keep the output of the tests clean."""

    def do_GET(self):
        server = self.server
        server.log.append((self.path, self.headers.get("Range")))
        trouble = server.troubles.pop(0) if server.troubles else {}
        content = server.files.get(self.path)
        if "redirect" in trouble:
            return self.send_head(302, 0, {"Location": trouble["redirect"]})
        if "status" in trouble or content is None:
            return self.send_head(trouble.get("status", 404), 0)
        start, stop = self.wanted(len(content))
        if start >= stop:
            return self.send_head(416, 0, {"Content-Range": f"bytes */{len(content)}"})
        if server.ranges and "Range" in self.headers:
            part = f"bytes {start}-{stop - 1}/{len(content)}"
            self.send_head(206, stop - start, {"Content-Range": part})
        else:
            self.send_head(200, stop - start)
        self.send_content(content[start:stop], trouble)

    def wanted(self, size):
        """First byte and the one behind the last, of what the Range header asks for."""
        if not self.server.ranges or "Range" not in self.headers:
            return 0, size
        first, last = self.headers["Range"].removeprefix("bytes=").split("-")
        if not first:
            return max(0, size - int(last)), size
        return int(first), min(size, int(last or size) + 1)

    def send_head(self, status, size, headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if self.server.nameless:
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(size))
        self.end_headers()

    def send_content(self, content, trouble):
        end = trouble.get("cut", len(content))
        for start in range(0, min(end, len(content)), 4096):
            time.sleep(self.server.pause)
            if "stall" in trouble and start >= len(content) // 2:
                time.sleep(trouble["stall"])
            block = content[start : min(start + 4096, end)]
            self.server.sent += len(
                block
            )  # before the client can answer it with a new request
            self.wfile.write(block)
        if "cut" in trouble:
            self.wfile.flush()
            self.close_connection = True


@contextmanager
def serving():
    """A Server that runs in a thread while the block runs."""
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
