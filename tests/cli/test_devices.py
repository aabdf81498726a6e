"""`flask devices …`."""

from pathlib import Path

import asyncssh
import pytest
from flask import Flask
from sqlalchemy import select

from app import clock
from app.domain import device_credentials
from app.extensions import db
from app.models import AuditEntry, DeviceCredential
from tests.dialing import add_gateway
from tests.racing import at_once


def test_keys_that_are_none_or_too_many_are_refused(app: Flask, tmp_path: Path) -> None:
    _id, gateway, _secret = add_gateway(app)

    def add(line: str) -> tuple[int, str]:
        file = tmp_path / "key.pub"
        file.write_text(line)
        result = app.test_cli_runner().invoke(args=["devices", "key", "add", gateway, str(file)])
        return result.exit_code, result.output

    def made(kind: str, **rest: object) -> str:
        return asyncssh.generate_private_key(kind, **rest).export_public_key().decode()

    for line in ("", "ssh-ed25519", "ssh-ed25519 ****", "ssh-ed25519 AAAA", "ssh-dss AAAA x"):
        assert add(line)[0] == 1
    assert add(made("ssh-rsa", key_size=1024))[0] == 1
    lines = [made("ssh-ed25519") for _ in range(5)]
    assert add(lines[0])[0] == 0
    assert "already" in add(lines[0])[1]
    assert [add(line)[0] for line in lines[1:4]] == [0, 0, 0]
    assert "four" in add(lines[4])[1]
    with app.app_context():
        kinds = [one.kind for one in device_credentials.standing([gateway])[gateway]]
    assert sorted(kinds) == ["key"] * 4 + ["secret"]


@pytest.mark.parametrize(
    "words",
    [
        ["key", "list", "HDM999999999"],
        ["key", "revoke", "HDM999999999", "SHA256:x"],
        ["secret", "new", "HDM999999999"],
        ["secret", "new", "no gateway\0"],
        ["secret", "revoke", "HDM999999999"],
    ],
)
def test_a_gateway_that_is_not_there_is_named(app: Flask, words: list[str]) -> None:
    result = app.test_cli_runner().invoke(args=["devices", *words])
    assert result.exit_code == 1
    assert "there is no gateway" in result.output


def test_what_is_revoked_already_cannot_be_revoked(app: Flask) -> None:
    _id, gateway, _secret = add_gateway(app)
    runner = app.test_cli_runner()
    assert runner.invoke(args=["devices", "secret", "revoke", gateway]).exit_code == 0
    for words in (["secret", "revoke", gateway], ["key", "revoke", gateway, "SHA256:x"]):
        result = runner.invoke(args=["devices", *words])
        assert (result.exit_code, "nothing to revoke" in result.output) == (1, True)


def test_the_host_key_is_made_once_and_shown(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "made" / "key"
    app.extensions["settings"] = app.extensions["settings"].model_copy(
        update={"relay_host_key": str(file)}
    )
    runner = app.test_cli_runner()
    assert runner.invoke(args=["devices", "host-key"]).exit_code == 1
    shown = runner.invoke(args=["devices", "host-key", "--create"]).output
    assert shown == runner.invoke(args=["devices", "host-key", "--create"]).output
    assert file.stat().st_mode & 0o777 == 0o600
    key = asyncssh.read_private_key(str(file))
    assert key.get_fingerprint() in shown
    assert key.export_public_key().decode().strip() in shown
    file.write_text("rubbish")
    assert runner.invoke(args=["devices", "host-key"]).exit_code == 1


def test_secrets_are_kept_as_digests_and_changes_are_in_the_audit_log(app: Flask) -> None:
    id_, gateway, secret = add_gateway(app)
    result = app.test_cli_runner().invoke(args=["devices", "secret", "new", gateway])
    shown = result.stdout.splitlines()[1].split(",")[1]
    assert "relays could not be told" not in shown
    app.test_cli_runner().invoke(args=["devices", "secret", "revoke", gateway])
    with app.app_context():
        rows = db.session.scalars(select(DeviceCredential)).all()
        assert not {secret, shown} & {row.digest for row in rows}
        assert all(row.revoked_at for row in rows)
        log = db.session.execute(
            select(AuditEntry.action, AuditEntry.subject_id).order_by(AuditEntry.id)
        ).all()
    assert [tuple(row) for row in log] == [
        ("device_secret.issued", id_),
        ("device_secret.issued", id_),
        ("device_secret.revoked", id_),
    ]


def test_a_file_of_secrets_is_never_overwritten(app: Flask, tmp_path: Path) -> None:
    _id, gateway, secret = add_gateway(app)
    file = tmp_path / "secrets.csv"
    file.write_text("kept")
    words = ["devices", "secret", "new", gateway, "--to", str(file)]
    result = app.test_cli_runner().invoke(args=words)
    assert (result.exit_code, file.read_text()) == (1, "kept")
    with app.app_context():
        known = device_credentials.standing([gateway])[gateway]
        assert device_credentials.matching(known, "secret", secret.encode())


def test_a_secret_is_no_key_and_a_key_no_secret(app: Flask) -> None:
    _id, gateway, secret = add_gateway(app)
    with app.app_context():
        known = device_credentials.standing([gateway])[gateway]
        assert device_credentials.matching(known, "key", secret.encode()) is None
        assert device_credentials.matching([], "secret", secret.encode()) is None


def test_two_who_renew_a_secret_at_once_leave_one_that_stands(app: Flask) -> None:
    _id, gateway, _secret = add_gateway(app)

    def renew() -> str:
        found = device_credentials.get(gateway)
        return device_credentials.new_secrets([found], now=clock.now())[0]

    made = at_once(app, renew, renew, renew)
    with app.app_context():
        (known,) = device_credentials.standing([gateway])[gateway]
        fits = [
            one for one in made if device_credentials.matching([known], "secret", str(one).encode())
        ]
    assert len(fits) == 1
