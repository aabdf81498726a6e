"""Typed settings."""

from app.config import Settings


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
