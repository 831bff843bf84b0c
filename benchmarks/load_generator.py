"""Sends one request again and again over some connections, and prints how fast it was answered, as JSON.

Run by `throughput.py` as a program of its own. It does as little as it can, because it shares the processor with the
service: one thread, raw sockets, and of each answer only the status and the length are read.
"""

import json
import os
import selectors
import socket
import sys
import time

END_OF_HEADERS, LENGTH = b"\r\n\r\n", b"content-length:"
RECEIVED = 1 << 18
WARM_UP_SHARE = 0.25
# Longer than the service lets a request take.
SECONDS_WITHOUT_ANSWER = 60


class Connection:
    """One connection, with a request under way."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=SECONDS_WITHOUT_ANSWER)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self.send()

    def send(self) -> None:
        """Send the request."""
        self.missing: int | None = None
        self._head = b""
        self.started = time.perf_counter()
        self.socket.sendall(self._request)

    def receive(self) -> bool:
        """Read what has arrived, and return whether the answer is complete."""
        content = self.socket.recv(RECEIVED)
        if not content:
            sys.exit("the service closed a connection")
        if self.missing is not None:
            self.missing -= len(content)
            return self.missing == 0
        self._head += content
        end = self._head.find(END_OF_HEADERS)
        if end < 0:
            return False
        headers = self._head[:end].lower()
        if not headers.startswith(b"http/1.1 200"):
            sys.exit(f"not answered with 200: {self._head[:300]!r}")
        at = headers.index(LENGTH) + len(LENGTH)
        length = int(headers[at:].split(b"\r\n", 1)[0])
        self.missing = length - (len(self._head) - end - len(END_OF_HEADERS))
        return self.missing == 0


class Load:
    """Some connections that send a request again as soon as it is answered."""

    def __init__(self, port: int, request: bytes, connections: int) -> None:
        self._port, self._request = port, request
        self._missing = connections
        self._selector = selectors.DefaultSelector()
        self.times: list[float] = []
        self._connect()

    def _connect(self) -> None:
        connection = Connection(self._port, self._request)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        self._missing -= 1

    def run(self, seconds: float) -> float:
        """Add the time of each answer to `times` for so long, and return how long exactly."""
        began = time.perf_counter()
        while time.perf_counter() < began + seconds:
            ready = self._selector.select(SECONDS_WITHOUT_ANSWER)
            if not ready:
                sys.exit("no answer")
            for key, _ in ready:
                if key.data.receive():
                    self.times.append((time.perf_counter() - key.data.started) * 1000)
                    key.data.send()
                    # One after another: a worker that is busy lets others take the next connection.
                    if self._missing:
                        self._connect()
        return time.perf_counter() - began


def main() -> None:
    """Run `load_generator.py PORT PATH CONNECTIONS SECONDS`, with the API key in the variable KEY."""
    port, path, connections, seconds = sys.argv[1:]
    lines = [f"GET {path} HTTP/1.1", "Host: bench", f"Authorization: Bearer {os.environ['KEY']}", "", ""]
    load = Load(int(port), "\r\n".join(lines).encode(), int(connections))
    warmed_up = load.run(float(seconds) * WARM_UP_SHARE)
    requests = len(load.times)
    load.times.clear()
    took = load.run(float(seconds))
    ordered = sorted(load.times)
    if not ordered:
        sys.exit(f"not answered within {seconds} s")
    figures = {
        "seconds": warmed_up + took,
        "requests": requests + len(ordered),
        "per_second": len(ordered) / took,
        "p50_ms": ordered[len(ordered) // 2],
        "p99_ms": ordered[len(ordered) * 99 // 100],
        "own_share": time.process_time() / (warmed_up + took),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
