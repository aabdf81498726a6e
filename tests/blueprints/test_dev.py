"""The demo's inbox, filled by the demo's own mail server."""

import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import Settings
from tests.conftest import test_settings

ROOT = Path(__file__).parents[2]
URL = "http://localhost:8000/activate/WzEsIm4iXQ.c2ln"


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Give no tables: an inbox reads files."""
    return f"sqlite:///{tmp_path}/none.db"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return test_settings(database_url, tmp_path, demo=True)


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[int]:
    """Run `python -m demo.mail_sink`; give its port."""
    command = [sys.executable, "-m", "demo.mail_sink", "--port", "0"]
    with subprocess.Popen(
        [*command, "--dir", str(tmp_path / "mail")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield int(process.stdout.readline().rpartition(":")[2])
        process.terminate()
        assert process.wait(10) == 0


def send(port: int, subject: str = "【アカウント仮登録のお知らせ】", html: str = "") -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = subject, "no-reply@example.org", "taro@example.org"
    mail.set_content(f"次のURLを開いてください。\n{URL}\n<script>alert(1)</script>")
    mail.add_alternative(html or f'<h1>ようこそ</h1><a href="{URL}">開く</a>', subtype="html")
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as server:
        server.send_message(mail)


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "mail").iterdir())


def test_an_empty_inbox_says_what_to_do(client: FlaskClient) -> None:
    page = client.get("/dev/mail")
    assert page.status_code == 200
    assert "メールはまだありません" in page.text


def test_delivered_mails_are_listed_newest_first(
    client: FlaskClient, sink: int, tmp_path: Path
) -> None:
    send(sink, "はじめの件名")
    send(sink, "次の件名")
    assert all(name.endswith(".eml") for name in kept(tmp_path))
    page = client.get("/dev/mail").text
    assert page.index("次の件名") < page.index("はじめの件名")
    assert "taro@example.org" in page


def test_the_list_can_be_asked_for_alone(client: FlaskClient, sink: int) -> None:
    send(sink)
    part = client.get("/dev/mail/newest").text
    assert part.lstrip().startswith('<section id="mails"')
    assert "【アカウント仮登録のお知らせ】" in part


def test_a_mail_shows_its_headers_and_its_text_with_links(
    client: FlaskClient, sink: int, tmp_path: Path
) -> None:
    send(sink)
    page = client.get(f"/dev/mail/{kept(tmp_path)[0]}").text
    assert f'<a href="{URL}"' in page
    assert "&lt;script&gt;" in page
    assert "<dt>Subject</dt><dd>【アカウント仮登録のお知らせ】</dd>" in page


def test_the_html_of_a_mail_is_shut_into_a_sandbox(
    client: FlaskClient, sink: int, tmp_path: Path
) -> None:
    send(sink)
    page = client.get(f"/dev/mail/{kept(tmp_path)[0]}/html")
    assert "<h1>ようこそ</h1>" in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize(
    "name",
    [
        "nothing.eml",
        "20261122T000000.000000Z-00000000.eml",
        "../portal.db",
        "..%2F..%2Fetc%2Fpasswd",
        "%2Fetc%2Fpasswd",
        "secret.eml",
        ".env",
        "%00",
    ],
)
def test_only_names_of_kept_mails_lead_to_a_file(
    client: FlaskClient, tmp_path: Path, name: str
) -> None:
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "secret.eml").write_text("Subject: not by the sink\n\nsecret")
    for path in (f"/dev/mail/{name}", f"/dev/mail/{name}/html"):
        assert client.get(path).status_code == 404


def test_outside_the_demo_there_is_no_inbox(database_url: str, tmp_path: Path) -> None:
    from app import create_app

    portal: Flask = create_app(test_settings(database_url, tmp_path))
    assert portal.test_client().get("/dev/mail").status_code == 404
