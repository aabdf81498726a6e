"""Typed settings."""

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.config import Settings, flask_config

ROOT = Path(__file__).parents[1]


def named(**given: str) -> Settings:
    return Settings(_env_file=None, testing=True, **given)  # type: ignore[call-arg]


def test_readers_of_english_get_english_names() -> None:
    english = named().in_language("en")
    assert english.service_name == "Remote Monitoring Service"
    assert english.support_hours.startswith("Mon")
    assert named().in_language("ja").service_name == "遠隔モニタリングサービス"


def test_a_name_of_the_operators_own_wins_over_a_default_english_one() -> None:
    own = named(service_name="ひかり見守り").in_language("en")
    assert own.service_name == "ひかり見守り"
    both = named(service_name="ひかり見守り", service_name_en="Hikari Watch").in_language("en")
    assert both.service_name == "Hikari Watch"


def test_no_error_of_the_database_tells_the_values_it_was_asked_with() -> None:
    # they are names, addresses, hashes, the halves of single-use URLs; errors end in logs
    assert flask_config(named())["SQLALCHEMY_ENGINE_OPTIONS"]["hide_parameters"] is True


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "__Host-hidamari"),
        # __Host- takes no domain
        ({"session_cookie_domain": "example.org"}, "__Secure-hidamari"),
        ({"base_url": "http://localhost:8000"}, "hidamari"),
    ],
)
def test_the_cookies_name_promises_what_its_flags_do(given: dict[str, str], name: str) -> None:
    made = flask_config(named(**{"base_url": "https://portal.example.org", **given}))
    assert made["SESSION_COOKIE_NAME"] == name
    assert made["SESSION_COOKIE_SECURE"] is (name != "hidamari")


@pytest.mark.parametrize(
    ("given", "domain", "origins"),
    [
        ({}, "portal.example.org", ("https://portal.example.org",)),
        ({"base_url": "http://localhost:8000"}, "localhost", ("http://localhost:8000",)),
        # browsers never say the usual port, and write hosts in lower case
        ({"base_url": "https://Portal.Example.org:443/home"}, "portal.example.org", None),
        (
            {"monitor_host": "live.example.org", "session_cookie_domain": ".example.org"},
            "example.org",
            ("https://live.example.org", "https://portal.example.org"),
        ),
    ],
)
def test_passkeys_belong_to_the_domain_of_all_sites(
    given: dict[str, str], domain: str, origins: tuple[str, ...] | None
) -> None:
    settings = named(**{"base_url": "https://portal.example.org", **given})
    assert settings.passkey_domain == domain
    assert settings.origins == (origins or ("https://portal.example.org",))


def test_a_cookie_that_does_not_reach_every_site_is_refused() -> None:
    with pytest.raises(ValidationError, match="SESSION_COOKIE_DOMAIN"):
        named(
            base_url="https://portal.example.org",
            monitor_host="live.example.net",
            session_cookie_domain="example.org",
        )


def test_the_demo_which_shows_every_mail_is_never_the_real_portal() -> None:
    with pytest.raises(ValidationError, match="DEMO"):
        Settings(_env_file=None, demo=True, base_url="https://portal.example.org")  # type: ignore[call-arg]


def test_a_secret_that_was_not_set_is_random() -> None:
    assert flask_config(named())["SECRET_KEY"] != flask_config(named())["SECRET_KEY"]


def test_the_real_portal_is_reached_by_https_alone() -> None:
    with pytest.raises(ValidationError, match="https"):
        Settings(_env_file=None, secret_key="x" * 32, base_url="http://portal.example.org")  # type: ignore[call-arg]


def test_every_setting_is_read_somewhere() -> None:
    configuration = ROOT / "app" / "config.py"
    reading = [
        path.read_text("utf-8")
        for path in (ROOT / "app").rglob("*")
        if path.suffix in {".py", ".html", ".txt"} and path != configuration
    ]
    read = set(re.findall(r"\.(\w+)", "\n".join(reading)))
    read |= set(re.findall(r"(?:settings|self)\.(\w+)", configuration.read_text("utf-8")))
    fields = set(Settings.model_fields)
    # content files and pages ask for a name; which language it is in is decided in one place
    read |= {f"{name}_en" for name in read}
    read |= {name.lower() for name in Settings(_env_file=None, testing=True).names}  # type: ignore[call-arg]
    assert fields - read == set()


def test_an_authority_that_is_none_and_a_folder_that_is_gone_are_refused(tmp_path: Path) -> None:
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    for file in (rubbish, tmp_path / "gone.pem", tmp_path):
        with pytest.raises(ValidationError, match="MODBUS_TLS_CA"):
            named(modbus_tls_ca=str(file))
    with pytest.raises(ValidationError, match="MODBUS_TLS_CLIENT_DIR"):
        named(modbus_tls_client_dir=str(tmp_path / "gone"))
    assert named(modbus_tls_client_dir=str(tmp_path)).modbus_tls_ca == ""


def test_the_relays_secret_is_long_and_its_inner_address_one_of_a_machine() -> None:
    for wrong in ({"relay_secret": "short"}, {"relay_internal_host": "0.0.0.0"}):
        (name,) = wrong
        with pytest.raises(ValidationError, match=name.upper()):
            named(**wrong)
