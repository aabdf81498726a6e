"""What keeps the demo from starting is said plainly, before anything starts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from demo.__main__ import public_name
from demo.folder import Folder
from tests.ports import free_port

ROOT = Path(__file__).parents[2]


def start(data_dir: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Start the demo and wait until it gave up."""
    return subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ended = start(tmp_path / "data", PORT=str(port))
    assert ended.returncode == 1
    assert ended.stderr == f"Port {port} is taken. Choose another one: make run PORT={port + 1}\n"
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("port", ["http", "0", "65536", "-1", "８０００"])
def test_a_port_that_is_none_is_named(tmp_path: Path, port: str) -> None:
    ended = start(tmp_path, PORT=port)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"PORT={port} is no port")


def test_an_address_that_is_not_ours_is_named(tmp_path: Path) -> None:
    ended = start(tmp_path, HOST="192.0.2.1", PORT=str(free_port()))
    assert ended.returncode == 1
    assert ended.stderr.startswith("Nothing can listen at 192.0.2.1")


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    running = Folder(tmp_path)
    assert running.lock()
    ended = start(tmp_path, PORT=str(free_port()))
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"A demo runs from {tmp_path} already.")


def test_links_lead_to_this_machine_or_to_the_address_that_was_asked_for() -> None:
    assert public_name("127.0.0.1") == "localhost"
    assert public_name("192.168.1.20") == "192.168.1.20"
    assert public_name("0.0.0.0") != "0.0.0.0"
