"""Reading a file of gateways, and writing them."""

from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.domain import provisioning, sheets
from app.domain.provisioning import BadFile
from app.extensions import db
from app.models import AuditEntry, Gateway, Latest, PollState, Sheet
from app.transaction import transaction
from tests.factories import GatewayFactory

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
HEADINGS = "id,model,serial,endpoint,profile"
GOOD = "HDM4A7K20931,HDM-G2,A0123456,tcp://192.0.2.7:502/1,sunspec"
OTHER = "HDM4A7K20932,HDM-G2,A0123457,tcp://192.0.2.8:502/1,sunspec"


def read(*lines: str, encoding: str = "utf-8") -> list[provisioning.NewGateway]:
    return provisioning.read("\r\n".join(lines).encode(encoding))


def refused(app: Flask, *lines: str) -> list[tuple[int, str]]:
    with app.test_request_context(), pytest.raises(BadFile) as refusal:
        read(*lines)
    return [(row.line, str(row.reason)) for row in refusal.value.rows]


def test_a_good_row_is_read(app: Flask) -> None:
    with app.app_context():
        [row] = read(HEADINGS, GOOD)
    assert row == provisioning.NewGateway(2, *GOOD.split(","))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_files_of_excel_are_read(app: Flask, encoding: str) -> None:
    with app.app_context():
        [row] = read(HEADINGS, GOOD.replace("HDM-G2", "蓄電一号"), encoding=encoding)
    assert (row.id, row.model) == ("HDM4A7K20931", "蓄電一号")


def test_columns_may_stand_in_any_order_among_others(app: Flask) -> None:
    with app.app_context():
        [row] = read(
            "Note,Profile,ENDPOINT,serial,model,id", "x," + ",".join(GOOD.split(",")[::-1])
        )
    assert (row.id, row.profile) == ("HDM4A7K20931", "sunspec")


def test_full_width_and_lower_case_ids_are_brought_into_form(app: Flask) -> None:
    with app.app_context():
        [row] = read(HEADINGS, GOOD.replace("HDM4A7K20931", " ｈｄｍ４ａ７ｋ２０９３１ "))
    assert row.id == "HDM4A7K20931"


def test_blank_lines_are_skipped_and_still_counted(app: Flask) -> None:
    bad = refused(app, HEADINGS, "", GOOD, ",,,,", OTHER.replace("sunspec", "nonsense"))
    assert [line for line, _reason in bad] == [5]


def test_everything_that_is_wrong_is_told_at_once(app: Flask) -> None:
    bad = refused(
        app,
        HEADINGS,
        "SHORT,HDM-G2,A1,tcp://192.0.2.7:502/1,sunspec",
        "HDM4A7K2093!,HDM-G2,A2,tcp://192.0.2.7:502/2,sunspec",
        "HDM4A7K20933,HDM-G2,A3,http://192.0.2.7/,sunspec",
        "HDM4A7K20934,HDM-G2,A4,tcp://192.0.2.7:502/4,unknown",
        "HDM4A7K20935,,A5,tcp://192.0.2.7:502/5,sunspec",
        "HDM4A7K20936,HDM-G2,A6",
        "HDM4A7K20937," + "G" * 65 + ",A7,tcp://192.0.2.7:502/7,sunspec",
        "HDM4A7K20938,HDM\x07G2,A8,tcp://192.0.2.7:502/8,sunspec",
        GOOD,
        GOOD,
    )
    assert [line for line, _reason in bad] == [2, 3, 4, 5, 6, 7, 8, 9, 11]
    assert "http://192.0.2.7/" in bad[2][1]
    assert "sunspec" in bad[3][1]
    assert "10 行目" in bad[8][1]


def test_an_id_that_is_known_is_refused(app: Flask) -> None:
    with app.app_context(), transaction():
        GatewayFactory(public_id="HDM4A7K20931")
    assert refused(app, HEADINGS, OTHER, GOOD) == [
        (3, "ゲートウェイID HDM4A7K20931 は登録済みです。")
    ]


@pytest.mark.parametrize(
    "headings", ["id,model,serial,endpoint", "id,id,model,serial,endpoint,profile", "こんにちは"]
)
def test_headings_that_lack_a_column_or_repeat_one_are_refused(app: Flask, headings: str) -> None:
    assert {line for line, _reason in refused(app, headings, GOOD)} == {1}


def test_a_file_without_gateways_is_refused(app: Flask) -> None:
    assert len(refused(app, HEADINGS)) == 1
    assert len(refused(app, "")) == 1


def test_what_is_no_text_is_refused(app: Flask) -> None:
    with app.test_request_context(), pytest.raises(BadFile, match="1件も取り込みませんでした"):
        provisioning.read(b"\xff\xfe\x00i\x00d")


def test_a_quote_that_never_ends_is_refused(app: Flask) -> None:
    [(line, reason)] = refused(app, HEADINGS, GOOD, '"HDM4A7K20932,HDM')
    assert line == 3
    assert "CSV" in reason


def test_a_gateway_comes_with_its_sheet_and_is_due_at_once(app: Flask) -> None:
    with app.app_context():
        with transaction():
            made = provisioning.provision(read(HEADINGS, GOOD, OTHER), now=NOW)
            passwords = {one.gateway.public_id: one.password for one in made}
        gateway = db.session.scalars(select(Gateway).filter_by(public_id="HDM4A7K20931")).one()
        assert (gateway.model, gateway.endpoint, gateway.first_contact_at) == (
            "HDM-G2",
            "tcp://192.0.2.7:502/1",
            None,
        )
        poll = db.session.get(PollState, gateway.id)
        assert poll is not None
        assert poll.next_poll_at == NOW
        assert db.session.get(Latest, gateway.id) is not None
        assert db.session.scalar(select(func.count(AuditEntry.id))) == 2
        typed = passwords["HDM4A7K20931"].lower().replace("-", " ")
        assert sheets.prove("hdm4a7k20931", typed).version == 1
        with pytest.raises(sheets.SheetRefused):
            sheets.prove("HDM4A7K20931", passwords["HDM4A7K20932"])


def test_only_a_hash_of_the_password_is_kept(app: Flask) -> None:
    with app.app_context():
        with transaction():
            [made] = provisioning.provision(read(HEADINGS, GOOD), now=NOW)
            password = made.password
        sheet = db.session.scalars(select(Sheet)).one()
        assert sheet.password_hash.startswith("$argon2id$")
        assert password not in sheet.password_hash


def test_an_import_that_came_first_refuses_the_second(app: Flask) -> None:
    with app.app_context():
        late = read(HEADINGS, OTHER, GOOD)
        with transaction():
            provisioning.provision(read(HEADINGS, GOOD), now=NOW)
        with pytest.raises(provisioning.ImportedMeanwhile), transaction():
            provisioning.provision(late, now=NOW)
        assert db.session.scalars(select(Gateway.public_id)).all() == ["HDM4A7K20931"]


@given(
    rubbish=st.binary(max_size=300)
    | st.text(max_size=300).map(lambda text: text.encode(errors="replace"))
)
def test_rubbish_is_refused_in_words(rubbish: bytes) -> None:
    with pytest.raises(BadFile) as refusal:
        provisioning.read(rubbish)
    assert refusal.value.rows
