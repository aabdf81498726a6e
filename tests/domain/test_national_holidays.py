"""National holidays by the rules of the law, against the lists that were announced."""

from datetime import date, timedelta

import pytest

from app.domain.national_holidays import is_national_holiday

ANNOUNCED = {
    # with a day between two holidays (9/22) and one in a holiday's place (5/6)
    2026: "1/1 1/12 2/11 2/23 3/20 4/29 5/3 5/4 5/5 5/6 7/20 8/11 9/21 9/22 9/23 10/12 11/3 11/23",
    2025: "1/1 1/13 2/11 2/23 2/24 3/20 4/29 5/3 5/4 5/5 5/6 7/21 8/11 9/15 9/23 10/13 11/3"
    " 11/23 11/24",
}


@pytest.mark.parametrize("year", ANNOUNCED)
def test_a_years_holidays_are_those_that_were_announced(year: int) -> None:
    days = (date(year, 1, 1) + timedelta(days=n) for n in range(365))
    found = [f"{day.month}/{day.day}" for day in days if is_national_holiday(day)]
    assert found == ANNOUNCED[year].split()
