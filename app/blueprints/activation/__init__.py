"""本登録: what the URL of the mail 【アカウント仮登録のお知らせ】 opens."""

from .views import bp

__all__ = ["bp"]
