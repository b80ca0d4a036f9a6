"""For tests of notifications: a web server that keeps what it is sent."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SLACK = "https://hooks.slack.com/services/T0SLACKSEC/B0SLACKSEC/slackSecretToken1234567"
DISCORD = "https://discord.com/api/webhooks/123456789012345678/discord-Secret_Token1234567"


class Receiver:
    """Answers every POST with `status` and `answer`, once `release` is set (it is at first)."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        #: Headers and parsed body of each.
        self.received: list[tuple[dict[str, str], Any]] = []
        #: What stood behind POST.
        self.targets: list[str] = []
        self.status = 200
        self.answer = b""
        self.location = ""
        #: Whether `answer` is packed by gzip.
        self.packed = False
        self.release = threading.Event()
        self.release.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), json.loads(body)))
                receiver.targets.append(self.path)
                receiver.release.wait(30)
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                if receiver.packed:
                    self.send_header("Content-Encoding", "gzip")
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                """One who has given up is no news."""

        self.server = Server((address, 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://{f'[{address}]' if ':' in address else address}:{self.port}/path-secret"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def bodies(self) -> list[Any]:
        return [body for _, body in self.received]

    def close(self) -> None:
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


class Dribbler:
    """Answers a request by a byte at a time, for ever; `gone` is set once nobody listens."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/path-secret"
        self.gone = threading.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        client, _ = self.server.accept()
        with client:
            client.recv(65536)
            try:
                client.sendall(b"HTTP/1.1 200 OK\r\nX-Drip: ")
                while not self._closed.wait(0.02):
                    client.sendall(b"x")
            except OSError:
                self.gone.set()

    def close(self) -> None:
        self._closed.set()
        self.server.close()


class Endless:
    """Answers each request by `head` and then `part` for ever, and counts the bytes."""

    def __init__(self, part: bytes = b"x" * 65536, head: bytes = b"") -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}/path-secret"
        self.written = 0
        self.gone = threading.Event()
        self._part = part
        self._head = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self.server.accept()[0] as client:
            # What the kernel keeps for a reader that does not come says nothing of the reader.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            client.recv(65536)
            try:
                client.sendall(self._head)
                # More than anybody reads; a reader who takes it all is to fail, not to be killed.
                while self.written < 300_000_000:
                    client.sendall(self._part)
                    self.written += len(self._part)
            except OSError:
                self.gone.set()

    def close(self) -> None:
        self.server.close()
