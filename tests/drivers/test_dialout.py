"""What pollers and relays say to each other, without a wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.drivers import dialout
from app.drivers.dialout import Introduction, RelayRefused, Via

VIA = Via("127.0.0.1", 2223, "HDM4A7K20931", "a secret that both of them know")


def test_whoever_knows_the_secret_gets_the_gateway():
    introduction, challenge = Introduction(VIA), dialout.challenge()
    said = introduction.feed(dialout.greeting(challenge))
    asked = dialout.asked_for(VIA.secret, challenge, said)
    assert asked
    assert asked.gateway == VIA.gateway
    assert not introduction.is_over
    assert introduction.feed(asked.ready) == b""
    assert introduction.is_over


def test_whoever_only_says_that_it_is_a_relay_is_none():
    for ready in (
        lambda _said: dialout.READY + b"\n",
        # what the poller said itself
        lambda said: dialout.READY + said.split()[1] + b"\n",
        # what a relay said to another one
        lambda _said: _handed_over(Introduction(VIA)),
    ):
        introduction = Introduction(VIA)
        said = introduction.feed(dialout.greeting("1" * 32))
        with pytest.raises(RelayRefused, match="does not know the secret"):
            introduction.feed(ready(said))
        assert not introduction.is_over


def _handed_over(introduction):
    said = introduction.feed(dialout.greeting("1" * 32))
    return dialout.asked_for(VIA.secret, "1" * 32, said).ready


@pytest.mark.parametrize("challenge", ["", "0" * 31, "0" * 33, "poller " + "0" * 25, "é" * 32])
def test_a_challenge_is_32_hexadecimal_digits(challenge):
    with pytest.raises(RelayRefused, match="no relay"):
        Introduction(VIA).feed(dialout.greeting(challenge))


def test_what_was_heard_once_proves_nothing_the_next_time():
    challenge = dialout.challenge()
    said = Introduction(VIA).feed(dialout.greeting(challenge))
    assert VIA.secret.encode() not in said
    assert dialout.asked_for(VIA.secret, dialout.challenge(), said) is None
    assert dialout.asked_for("another secret", challenge, said) is None
    other = said.replace(VIA.gateway.encode(), b"HDM4A7K20932")
    assert dialout.asked_for(VIA.secret, challenge, other) is None


def test_the_relays_refusal_is_told():
    introduction = Introduction(VIA)
    introduction.feed(dialout.greeting(dialout.challenge()))
    with pytest.raises(RelayRefused, match="the gateway is not here"):
        introduction.feed(dialout.refusal("the gateway is not here"))


def test_a_refusal_can_be_kept_whatever_is_in_it():
    introduction = Introduction(VIA)
    introduction.feed(dialout.greeting(dialout.challenge()))
    with pytest.raises(RelayRefused) as refused:
        introduction.feed(b"-\x00no\x1b[31m\n")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_lines_may_come_in_pieces(piece):
    introduction, line = Introduction(VIA), dialout.greeting(dialout.challenge())
    answers = [introduction.feed(line[at : at + piece]) for at in range(0, len(line), piece)]
    assert answers[-1]
    assert not any(answers[:-1])


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_rubbish_is_refused_within_bounds(pieces):
    introduction = Introduction(VIA)
    try:
        for piece in pieces:
            assert introduction.feed(piece) == b""
    except RelayRefused:
        return
    assert sum(map(len, pieces)) <= dialout.MOST_BYTES
    assert not introduction.is_over


@given(st.binary(max_size=200))
def test_whatever_a_poller_says_a_relay_survives_it(line):
    assert dialout.asked_for(VIA.secret, dialout.challenge(), line) is None
