"""The printable sheet."""

import pytest

from app.printing import sheets


@pytest.mark.parametrize(
    ("signs", "size"),
    [(300, "large"), (2600, "medium"), (3300, "small"), (4300, "tiny"), (20_000, "long")],
)
def test_longer_terms_are_set_smaller(signs: int, size: str) -> None:
    article = "この規約は、当社が提供するサービスについて、お客様と当社の約束を定めるものです。" * 3
    text = "\n\n".join([article] * (signs // len(article)))
    assert sheets.terms_size(text) == size
