"""`flask gateways import`."""

import re
import stat
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import func, select

from app.domain import device_credentials, sheets
from app.extensions import db
from app.models import AuditEntry, Gateway, PollState, Sheet
from app.transaction import transaction
from tests.factories import GatewayFactory, TermsVersionFactory

HEADINGS = "id,model,serial,endpoint,profile\n"
GOOD = (
    "HDM4A7K20931,HDM-G2,A0123456,tcp://192.0.2.7:502/1,sunspec\n"
    "HDM4A7K20932,HDM-G2,A0123457,tcp://192.0.2.7:502/2,sunspec\n"
)


@pytest.fixture(autouse=True)
def content(app: Flask, tmp_path: Path) -> Path:
    """Publish terms, and give the folder in which no campaign lies yet."""
    with app.app_context(), transaction():
        TermsVersionFactory(version="3.1")
    folder = tmp_path / "content"
    folder.mkdir()
    settings = app.extensions["settings"]
    app.extensions["settings"] = settings.model_copy(update={"content_dir": folder})
    return folder


def run(app: Flask, tmp_path: Path, rows: str, *options: str) -> Result:
    file = tmp_path / "gateways.csv"
    file.write_text(HEADINGS + rows, "utf-8")
    return app.test_cli_runner().invoke(args=["gateways", "import", str(file), *options])


def count(app: Flask) -> int:
    with app.app_context():
        return sum(
            db.session.scalar(select(func.count()).select_from(model)) or 0
            for model in (Gateway, Sheet, PollState)
        )


def test_without_a_folder_the_passwords_are_listed_once(app: Flask, tmp_path: Path) -> None:
    result = run(app, tmp_path, GOOD)
    assert result.exit_code == 0
    passwords = dict(line.split(",") for line in result.stdout.splitlines()[1:])
    with app.app_context():
        assert sheets.prove("HDM4A7K20931", passwords["HDM4A7K20931"])
        assert sheets.prove("HDM4A7K20932", passwords["HDM4A7K20932"])


def test_with_a_folder_the_passwords_stand_on_the_sheets_alone(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "sheets"
    result = run(app, tmp_path, GOOD, "--sheets", str(folder))
    assert result.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "HDM4A7K20931.html",
        "HDM4A7K20932.html",
    ]
    html = (folder / "HDM4A7K20931.html").read_text("utf-8")
    [password] = set(re.findall(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]\b", html))
    assert password not in result.output
    with app.app_context():
        assert sheets.prove("HDM4A7K20931", password)


def test_nobody_else_can_read_the_sheets(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    result = run(app, tmp_path, GOOD, "--sheets", str(folder))
    assert result.exit_code == 0, result.output
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_bad_rows_are_named_and_nothing_is_half_imported(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    bad = "SHORT,HDM-G2,A1,tcp://192.0.2.7:502/3,sunspec\n" + GOOD.splitlines()[0]
    result = run(app, tmp_path, GOOD + bad, "--sheets", str(folder))
    assert result.exit_code == 1
    assert "gateways.csv:4: ゲートウェイID SHORT" in result.stderr
    assert "gateways.csv:5: " in result.stderr
    assert count(app) == 0
    assert not folder.exists()


def test_a_sheet_that_cannot_be_written_stops_the_whole_import(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    folder.mkdir()
    old = folder / "HDM4A7K20932.html"
    old.write_text("an earlier sheet")
    result = run(app, tmp_path, GOOD, "--sheets", str(folder))
    assert result.exit_code == 1
    assert "HDM4A7K20932.html" in result.stderr
    assert count(app) == 0
    assert list(folder.iterdir()) == [old]
    assert old.read_text() == "an earlier sheet"


def test_a_commit_that_fails_leaves_no_sheet(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ConnectionError("the database went away")

    monkeypatch.setattr(db.session, "commit", fail)
    result = run(app, tmp_path, GOOD, "--sheets", str(tmp_path / "sheets"))
    assert isinstance(result.exception, ConnectionError)
    assert not list((tmp_path / "sheets").iterdir())


def test_the_sheet_says_what_a_household_needs(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    run(app, tmp_path, GOOD, "--sheets", str(folder))
    html = (folder / "HDM4A7K20931.html").read_text("utf-8")
    for words in (
        "お客様用 マルチ蓄電システム用ゲートウェイ",
        "遠隔モニタリングサービス",
        "ご登録にあたって",
        "HDM4A7K20931",
        "http://localhost",
        "QR",
        "ご登録の方法",
        "販売店ID",
        "電話番号",
        "本書は、なくさないように大切に保管してください。",
        "必ずお客様にお渡しください",
        "0120-000-000",
        "平日 9:00–17:00",
        "この規約は、本サービスの利用条件を定めるものです。",
    ):
        assert words in html
    assert "http://localhost/?gateway=HDM4A7K20931" in html
    assert "ただいまのご案内" not in html


def test_the_sheet_needs_no_other_file(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "sheets"
    run(app, tmp_path, GOOD, "--sheets", str(folder))
    html = (folder / "HDM4A7K20931.html").read_text("utf-8")
    assert not re.search(r"<link|<script|<img|src=|url\((?!#)|@import", html)


def test_the_campaign_is_named_while_it_runs(app: Flask, tmp_path: Path, content: Path) -> None:
    (content / "campaign.ja.md").write_text("# 冬の{SERVICE_NAME}応援\n\n本文", "utf-8")
    assert "published" in app.test_cli_runner().invoke(args=["campaign", "publish"]).output
    run(app, tmp_path, GOOD, "--sheets", str(tmp_path / "sheets"))
    html = (tmp_path / "sheets" / "HDM4A7K20931.html").read_text("utf-8")
    assert "ただいまのご案内：冬の遠隔モニタリングサービス応援" in html


def test_without_terms_there_is_no_back_and_no_import(app: Flask, tmp_path: Path) -> None:
    with app.app_context(), transaction():
        db.session.execute(db.text("DELETE FROM terms_versions"))
    result = run(app, tmp_path, GOOD, "--sheets", str(tmp_path / "sheets"))
    assert result.exit_code == 1
    assert "flask terms publish" in result.stderr
    assert count(app) == 0


DIALS_IN = "HDM4A7K20933,HDM-G2,A0123458,relay:///1,sunspec\n"


def test_gateways_that_dial_in_get_a_secret_each_in_a_file_of_its_own(
    app: Flask, tmp_path: Path
) -> None:
    file = tmp_path / "secrets.csv"
    result = run(app, tmp_path, GOOD + DIALS_IN, "--device-secrets", str(file))
    assert result.exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    heading, row = file.read_text().split()
    gateway, secret = row.split(",")
    assert (heading, gateway) == ("id,secret", "HDM4A7K20933")
    assert secret not in result.output
    with app.app_context():
        known = device_credentials.standing(["HDM4A7K20931", gateway])
        assert list(known) == [gateway]
        assert device_credentials.matching(known[gateway], "secret", secret.encode())


def test_where_the_secrets_cannot_be_written_nothing_is_imported(
    app: Flask, tmp_path: Path
) -> None:
    file, folder = tmp_path / "secrets.csv", tmp_path / "sheets"
    file.write_text("kept")
    words = ("--device-secrets", str(file), "--sheets", str(folder))
    assert run(app, tmp_path, DIALS_IN, *words).exit_code == 1
    assert (count(app), file.read_text(), list(folder.iterdir())) == (0, "kept", [])


def test_without_asking_for_it_no_secret_is_made(app: Flask, tmp_path: Path) -> None:
    assert run(app, tmp_path, DIALS_IN).exit_code == 0
    with app.app_context():
        assert device_credentials.standing(["HDM4A7K20933"]) == {}


def test_a_replaced_device_is_looked_at_anew(app: Flask) -> None:
    def replaced(gateway: str) -> Result:
        return app.test_cli_runner().invoke(args=["gateways", "replaced", gateway])

    with app.app_context(), transaction():
        id_ = GatewayFactory(
            public_id="HDM4A7K20931", told_serial="A1", known_serial="A1", layout={"a": "b"}
        ).id
    assert replaced("HDM4A7K20931").exit_code == 0
    assert "no gateway" in replaced("HDM4A7K20999").output
    with app.app_context():
        gateway = db.session.get_one(Gateway, id_)
        assert (gateway.known_serial, gateway.layout) == (None, None)
        assert db.session.scalars(select(AuditEntry.action)).all() == ["gateway.replaced"]
