"""Fetching reports from a server that may say anything."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from app.drivers import weather
from app.drivers.weather import Unreachable, fetch

Answer = tuple[int, bytes, dict[str, str]]
Serve = Callable[[Answer], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Give a function that starts a server with one answer to everything."""
    servers: list[ThreadingHTTPServer] = []

    def start(answer: Answer) -> str:
        status, body, headers = answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                for name, value in {"X-Path": self.path, **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body or json.dumps(self.path).encode())

            def log_message(self, *_told: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/bosai"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_report_is_fetched_by_its_kind_and_office(serve: Serve) -> None:
    url = serve((200, b"", {}))
    forecast = fetch(url, "forecast", "260000", timeout_s=5)
    assert forecast == "/bosai/forecast/data/forecast/260000.json"
    warning = fetch(url, "warning", "260000", timeout_s=5)
    assert warning == "/bosai/warning/data/r8/260000.json"


@pytest.mark.parametrize(
    "answer",
    [
        (404, b"{}", {}),
        (500, b"", {}),
        (200, b"<html>", {}),
        (200, b"[" * 100_000, {}),
        (200, b"\xff\xfe", {}),
        (200, b'"' + b"a" * weather.MOST_BYTES + b'"', {}),
        (302, b"", {"Location": "http://127.0.0.1:1/"}),
        (302, b"", {"Location": "file:///etc/passwd"}),
        (200, b'{"a": [', {"Content-Length": "100"}),
    ],
    ids=["gone", "broken", "a page", "deep", "no text", "long", "elsewhere", "a file", "cut off"],
)
def test_whatever_is_no_report_is_none(serve: Serve, answer: Answer) -> None:
    with pytest.raises(Unreachable):
        fetch(serve(answer), "forecast", "260000", timeout_s=5)


def test_a_service_that_is_not_there_or_says_nothing_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        fetch("http://127.0.0.1:1", "forecast", "260000", timeout_s=1)
    done = Event()

    class Silent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            done.wait(5)

        def log_message(self, *_told: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(Unreachable):
            fetch(f"http://127.0.0.1:{server.server_port}", "warning", "260000", timeout_s=0.2)
    finally:
        done.set()
        server.shutdown()
        server.server_close()
