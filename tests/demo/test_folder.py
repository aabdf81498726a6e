"""What the demo remembers between two starts."""

import socket
import stat
from pathlib import Path

from demo.folder import Folder, is_free


def test_what_is_kept_is_there_at_the_next_start(tmp_path: Path) -> None:
    Folder(tmp_path).keep("samples", [{"id": "H7K3"}])
    assert Folder(tmp_path).read("samples", []) == [{"id": "H7K3"}]


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.keep("sign-ins", [])
    assert stat.S_IMODE((tmp_path / "demo" / "sign-ins.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_the_secret_is_random_and_stays(tmp_path: Path) -> None:
    key = Folder(tmp_path).secret_key()
    assert len(key) >= 32
    assert Folder(tmp_path).secret_key() == key
    assert Folder(tmp_path / "other").secret_key() != key


def test_a_port_stays_the_same_while_it_is_free(tmp_path: Path) -> None:
    port = Folder(tmp_path).port("queue")
    assert Folder(tmp_path).port("queue") == port


def test_a_port_that_somebody_took_is_exchanged(tmp_path: Path) -> None:
    port = Folder(tmp_path).port("queue")
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert not is_free("127.0.0.1", port)
        assert Folder(tmp_path).port("queue") != port


def test_two_demos_do_not_run_from_one_folder(tmp_path: Path) -> None:
    first, second = Folder(tmp_path), Folder(tmp_path)
    assert first.lock()
    assert not second.lock()
