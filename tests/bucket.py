"""A bucket on loopback that speaks enough of S3: objects, uploads in parts, signed addresses that end."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit


class Bucket(ThreadingHTTPServer):
    """What it holds, and what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def log_message(self, *_args: object) -> None:
        pass

    def begin(self) -> tuple[str, dict[str, list[str]], bytes]:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = parse_qs(parts.query, keep_blank_values=True)
        self.server.asked.append(f"{self.command} {'&'.join(sorted(query))}".strip())
        return unquote(parts.path).removeprefix("/bucket/"), query, body

    def is_signed(self, query: dict[str, list[str]]) -> bool:
        """Whether there is a signature, in the header or in an address that is still good."""
        if self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=key/"):
            return True
        if not re.fullmatch("[0-9a-f]{64}", query.get("X-Amz-Signature", [""])[0]):
            return False
        signed_at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        lives = timedelta(seconds=int(query["X-Amz-Expires"][0]))
        return datetime.now(UTC) < signed_at + lives

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()

    def do_PUT(self) -> None:
        key, query, body = self.begin()
        if not self.is_signed(query):
            return self.answer(403)
        if "partNumber" in query:
            self.server.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.server.objects[key] = body
        return self.answer(200, ETag='"x"')

    def do_POST(self) -> None:
        key, query, _body = self.begin()
        if not self.is_signed(query):
            return self.answer(403)
        if "uploads" in query:
            self.server.parts[key] = {}
            return self.answer(200, f"<R><UploadId>{key}</UploadId></R>".encode())
        parts = self.server.parts.pop(query["uploadId"][0])
        self.server.objects[key] = b"".join(parts[number] for number in sorted(parts))
        return self.answer(200, b"<R><ETag>x</ETag></R>")

    def do_GET(self) -> None:
        key, query, _body = self.begin()
        if not self.is_signed(query):
            return self.answer(403)
        if key not in self.server.objects:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        content = self.server.objects[key]
        headers = {
            name.removeprefix("response-").title().replace("-", "_"): values[0]
            for name, values in query.items()
            if name.startswith("response-")
        }
        headers["Accept_Ranges"] = "bytes"
        if asked := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, size = int(asked[1]), len(content)
            content = content[first : int(asked[2]) + 1 if asked[2] else None]
            headers["Content_Range"] = f"bytes {first}-{first + len(content) - 1}/{size}"
            return self.answer(206, content, **headers)
        return self.answer(200, content, Content_Length=str(len(content)), **headers)

    do_HEAD = do_GET  # noqa: N815 -- the library's own name

    def do_DELETE(self) -> None:
        key, query, _body = self.begin()
        if not self.is_signed(query):
            return self.answer(403)
        self.server.objects.pop(key, None)
        return self.answer(204)


@contextlib.contextmanager
def running() -> Iterator[Bucket]:
    """A bucket called "bucket" that anybody with the key "key" may use."""
    with Bucket() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
