"""The columns of a Japanese postal address, and of a person, where a table has them."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column


class PostalAddress:
    """Mix a postal address into a table. Postal codes are kept as seven digits."""

    postal_code: Mapped[str] = mapped_column(String(7))
    prefecture: Mapped[str] = mapped_column(String(10))
    city: Mapped[str] = mapped_column(String(64))
    street: Mapped[str] = mapped_column(String(128))
    building: Mapped[str] = mapped_column(String(128), default="")

    @property
    def postal_code_shown(self) -> str:
        """Return the postal code as it is written: 〒 600-8530."""
        return f"〒 {self.postal_code[:3]}-{self.postal_code[3:]}"

    @property
    def address_lines(self) -> str:
        """Return the address on one line, without the postal code."""
        line = f"{self.prefecture}{self.city}{self.street}"
        return f"{line} {self.building}" if self.building else line


class Person:
    """Mix a customer's name and phone into a table. Phones are kept in E.164."""

    family_name: Mapped[str] = mapped_column(String(64))
    given_name: Mapped[str] = mapped_column(String(64))
    family_kana: Mapped[str] = mapped_column(String(64))
    given_kana: Mapped[str] = mapped_column(String(64))
    phone: Mapped[str] = mapped_column(String(20))
    company_name: Mapped[str] = mapped_column(String(128), default="")
    department: Mapped[str] = mapped_column(String(128), default="")

    @property
    def display_name(self) -> str:
        """Return the name as the header shows it, before 「様」."""
        return f"{self.family_name} {self.given_name}"
