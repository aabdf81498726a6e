"""Accounts: the rules of who may change what of them."""

from ..models import Account


def set_language(account: Account, language: str) -> None:
    """Keep the language the account chose; mails use it too."""
    account.language = language
