"""Who may try to sign in, with the clock held still."""

from app.relay.doors import PLACES_OF_SUSPECTS, REMEMBERED_S, SUSPECT_S, WINDOW_S, Doors

HERE, THERE = "192.0.2.1", "192.0.2.2"


def entered(doors: Doors, address: str, now_s: float, tries: int = 100) -> int:
    return sum(doors.enter(address, now_s) for _ in range(tries))


def test_many_gateways_behind_one_address_come_in_together() -> None:
    doors = Doors(most=500, free_failures=3)
    assert entered(doors, HERE, 0) == 100


def test_an_address_that_fails_often_gets_a_few_places_until_it_has_stopped() -> None:
    doors = Doors(most=500, free_failures=3)
    for _ in range(4):
        doors.failed(HERE, 0)
    assert entered(doors, HERE, 1) == PLACES_OF_SUSPECTS
    assert entered(doors, THERE, 1) == 100
    doors.leave(HERE)
    assert entered(doors, HERE, 2) == 1
    doors.failed(HERE, SUSPECT_S - 1)
    assert entered(doors, HERE, SUSPECT_S + 1) == 0
    assert entered(doors, HERE, 2 * SUSPECT_S) == 100


def test_a_few_failures_are_free_each_minute() -> None:
    doors = Doors(most=500, free_failures=3)
    for minute in range(5):
        for _ in range(3):
            doors.failed(HERE, minute * WINDOW_S)
    assert entered(doors, HERE, 4 * WINDOW_S + 1) == 100


def test_what_cannot_be_counted_any_more_counts_as_failing() -> None:
    doors = Doors(most=500, free_failures=3, most_addresses=2)
    for address in ("192.0.2.8", "192.0.2.9", HERE):
        doors.failed(address, 0)
    assert entered(doors, THERE, 1) == PLACES_OF_SUSPECTS
    # but not for longer than the others are remembered
    doors.failed(HERE, REMEMBERED_S + 1)
    assert entered(doors, "192.0.2.3", REMEMBERED_S + 1) == 100


def test_places_are_given_back_and_nothing_is_kept_of_whoever_left() -> None:
    doors = Doors(most=2, free_failures=3)
    assert entered(doors, HERE, 0, 2) == 2
    assert not doors._free.is_set()
    doors.leave(HERE)
    assert doors._free.is_set()
    doors.leave(HERE)
    assert (dict(doors._inside), doors._total) == ({}, 0)


def test_addresses_that_fail_leave_half_of_the_places_to_others() -> None:
    doors = Doors(most=100, free_failures=60)
    for number in range(20):
        doors.failed(f"198.51.100.{number}", 0)
    crowd = [f"198.51.100.{number}" for number in range(20)] * 10
    assert sum(entered(doors, address, 1, 1) for address in crowd) == 50
    assert doors._free.is_set()
    assert entered(doors, HERE, 1, 10) == 10
    # they were forgiven by then
    assert entered(doors, "198.51.100.1", REMEMBERED_S + 1, 10) == 10


def test_one_whose_line_was_lost_finds_a_place_beside_those_that_hold_their_share() -> None:
    doors = Doors(most=100, free_failures=60)
    for address in (*(crowd := ["198.51.100.1", "198.51.100.2", "198.51.100.3"]), HERE):
        doors.failed(address, 0)
    assert sum(doors.enter(address, 1) for address in crowd * 40) == 50
    assert entered(doors, HERE, 1, 5) == 1


def test_the_one_address_behind_which_all_gateways_are_is_not_halved() -> None:
    doors = Doors(most=100, free_failures=60)
    doors.failed(HERE, 0)
    assert entered(doors, HERE, 1) == 100


def test_seven_addresses_that_never_sign_in_keep_others_out_for_two_minutes_of_an_hour() -> None:
    """A model: each opens what it may, says nothing for 20 s and fails, and begins again."""
    doors, silent_s = Doors(most=100, free_failures=60), 20
    crowd = [f"198.51.100.{number}" for number in range(7)]
    opened: list[tuple[int, str]] = []
    kept_out = 0
    for now_s in range(int(REMEMBERED_S)):
        for _at, address in [one for one in opened if one[0] + silent_s <= now_s]:
            doors.leave(address)
            doors.failed(address, now_s)
        opened = [one for one in opened if one[0] + silent_s > now_s]
        # a gateway comes by, and is through within the second
        if doors._free.is_set() and doors.enter(HERE, now_s):
            doors.leave(HERE)
        else:
            kept_out += 1
        for address in crowd:
            while doors._free.is_set() and doors.enter(address, now_s):
                opened.append((now_s, address))
    # each may fill the doors once, while nobody knows it; it was the whole hour
    assert kept_out <= 7 * silent_s
