"""The demo's printed sheets."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings

SHEET = "<!doctype html><title>シート</title>"


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Run the demo, with one sheet."""
    sheets = tmp_path / "demo" / "sheets"
    sheets.mkdir(parents=True)
    (sheets / "H7K3M9PAVW4X.html").write_text(SHEET, "utf-8")
    (tmp_path / "demo" / "secret.html").write_text("secret", "utf-8")
    return settings.model_copy(update={"demo": True, "data_dir": tmp_path})


def test_a_samples_sheet_is_shown_with_its_own_styles(client: FlaskClient) -> None:
    answer = client.get("/dev/sheets/H7K3M9PAVW4X")
    assert answer.text == SHEET
    assert "style-src 'unsafe-inline'" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["H7K3M9PAVW4Y", "h7k3m9pavw4x", "..%2Fsecret", "%2e%2e%2fsecret", "H7K3M9PAVW4X.html"]
)
def test_nothing_else_of_the_demos_folder_is_shown(client: FlaskClient, path: str) -> None:
    assert client.get(f"/dev/sheets/{path}").status_code == 404


def test_outside_the_demo_there_are_no_sheets(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"demo": False}))
    assert app.test_client().get("/dev/sheets/H7K3M9PAVW4X").status_code == 404
