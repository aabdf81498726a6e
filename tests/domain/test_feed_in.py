"""Feed-in prices as data, refused when they are wrong."""

from pathlib import Path

import pytest

import app
from app.domain import feed_in
from app.domain.feed_in import BrokenFeedIn

SHIPPED = Path(app.__file__).parent / "content"
GOOD = """
source = "価格表"
as_of = 2026-04-01
[[price]]
from = 2024-04-01
until = 2025-03-31
yen = 16
[[price]]
from = 2025-10-01
until = 2026-03-31
yen = 24
years = 4
later_yen = 8.3
"""


def test_the_shipped_prices_are_sound_and_the_newest_comes_first() -> None:
    shipped = feed_in.load(SHIPPED)
    assert shipped
    assert shipped.source
    newest = shipped.prices[0]
    assert (newest.yen, newest.years, newest.later_yen) == (24, 4, 8.3)
    assert [one.first for one in shipped.prices] == sorted(
        (one.first for one in shipped.prices), reverse=True
    )


def test_a_folder_without_the_file_says_nothing(tmp_path: Path) -> None:
    assert feed_in.load(tmp_path) is None


@pytest.mark.parametrize(
    ("good", "wrong"),
    [
        ('source = "価格表"\n', ""),
        ("as_of = 2026-04-01", 'as_of = "2026"'),
        ("from = 2024-04-01", 'from = "2024"'),
        ("until = 2025-03-31", "until = 2024-03-31"),
        ("until = 2025-03-31", "until = 2025-10-01"),
        ("yen = 16", "yen = 1600"),
        ("yen = 16", "yen = 16\nsen = 5"),
        ("later_yen = 8.3\n", ""),
        ("[[price]]", "[[cost]]"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name(tmp_path: Path, good: str, wrong: str) -> None:
    assert good in GOOD
    (tmp_path / feed_in.FILE).write_text(GOOD.replace(good, wrong))
    with pytest.raises(BrokenFeedIn, match=r"feed_in\.toml"):
        feed_in.load(tmp_path)
