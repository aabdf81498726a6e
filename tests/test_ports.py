"""Two servers that are started beside each other get two ports."""

import socket

from tests.ports import free_port


def test_no_port_is_given_twice_even_before_anybody_listens_on_it() -> None:
    ports = [free_port() for _ in range(50)]
    assert len(set(ports)) == 50


def test_a_port_that_is_taken_is_not_given() -> None:
    following = free_port() + 1
    with socket.socket() as listener:
        try:
            listener.bind(("127.0.0.1", following))
        except OSError:
            # somebody else's, or the end of the span: no less taken
            pass
        else:
            listener.listen()
        assert free_port() != following
