"""A bounded number of GET requests over kept-alive connections, from a process of its own.

`python -m bench.http_load PORT PATH COUNT CONNECTIONS [NAME=VALUE …]` prints requests per second
and the statuses seen.
"""

import json
import socket
import sys
import threading
import time
from collections import Counter


def ask(sock: socket.socket, request: bytes) -> int:
    """Send one request and read its whole answer; return the status."""
    sock.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError("the server closed the connection")
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    status = int(head[9:12])
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length and status not in (204, 304):
        body += sock.recv(65536)
    return status


def load(port: int, path: str, count: int, connections: int, headers: dict[str, str]) -> dict:
    """Send `count` requests spread over `connections` threads; return the rate and statuses."""
    lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    statuses: Counter[int] = Counter()
    share = count // connections

    def client() -> None:
        seen: Counter[int] = Counter()
        sock = socket.create_connection(("127.0.0.1", port), timeout=30)
        for _ in range(share):
            seen[ask(sock, request)] += 1
        sock.close()
        statuses.update(seen)

    threads = [threading.Thread(target=client) for _ in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    return {"per_s": share * connections / elapsed, "statuses": dict(statuses)}


if __name__ == "__main__":
    port, path, count, connections = sys.argv[1:5]
    pairs = dict(pair.split("=", 1) for pair in sys.argv[5:])
    print(json.dumps(load(int(port), path, int(count), int(connections), pairs)))
