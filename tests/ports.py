"""Ports for servers that tests start by number."""

import itertools
import os
import random
import socket

# below where a system takes the ports of outgoing connections from: nobody takes one of these
# between our look and the server's start
FIRST = 12_000
# a span for each of the test processes that run beside each other
SPAN = 2_000
SPANS = 10

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SPANS
# another run of the tests may be beside this one
_begin = random.randrange(SPAN)
_places = itertools.cycle([*range(_begin, SPAN), *range(_begin)])


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on, another one each time.

    Raises:
        RuntimeError: All are taken.
    """
    for place in itertools.islice(_places, SPAN):
        port = FIRST + _worker * SPAN + place
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no port is free from {FIRST + _worker * SPAN} on")
