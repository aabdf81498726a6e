"""What the demo's database begins with, and the samples that never run out."""

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from secrets import choice, randbelow

from sqlalchemy import delete, select, update

from app.config import Settings
from app.domain import campaigns, provisioning, terms, terms_versions
from app.domain.provisioning import Provisioned
from app.domain.sheet_passwords import ALPHABET
from app.extensions import db, hasher
from app.models import Account, Gateway, Heartbeat, Installation, PollState, Sheet
from app.printing.sheets import discard, write_sheets
from app.transaction import transaction

from . import lived, past, staff
from .folder import Folder
from .homes import Home, as_row, endpoint

SAMPLES = 3
CUSTOMER_MAIL = "hinata@example.org"
# how long somebody has lived there: long enough to compare a month with the year before
PAST_DAYS = (420, 40)
# (name of the site, prefecture, city, street, postal code)
SITES = (
    ("自宅", "京都府", "京都市下京区", "東塩小路町721-1", "6008216"),
    ("実家", "長野県", "松本市", "中央1丁目4-7", "3900811"),
)

Sample = dict[str, str]


def prepare(folder: Folder, homes: list[Home], settings: Settings, now: datetime) -> None:
    """Bring the demo's rows to where a start needs them; what is there is kept."""
    # a text that was changed since is a new version, and no demo decides on that
    with suppress(terms_versions.VersionTaken), transaction():
        terms_versions.publish_folder(
            settings.content_dir / "terms", settings.names_by_language, now
        )
    with transaction():
        campaigns.publish_file(settings.content_dir, now)
    with transaction():
        # ready means that workers were seen since this start
        db.session.execute(delete(Heartbeat).where(Heartbeat.name.startswith("queue:")))
        # the simulator may have another port than last time
        for home in homes:
            db.session.execute(
                update(Gateway)
                .where(Gateway.public_id == home["id"], Gateway.endpoint != endpoint(home))
                .values(endpoint=endpoint(home))
            )
    if db.session.scalar(select(Account.id).filter_by(email=CUSTOMER_MAIL)) is None:
        seat_customer(folder, homes, now)
        lived.begin(folder, CUSTOMER_MAIL, settings, now)
    staff.seat(folder, (new_password(), new_password()), now)
    staff.link(CUSTOMER_MAIL, now)
    top_up(folder, homes, now)


def ask_at_once(now: datetime) -> None:
    """Let every gateway be read now: the homes were not there while the portal was starting."""
    with transaction():
        db.session.execute(update(PollState).values(next_poll_at=now))


def seat_customer(folder: Folder, homes: list[Home], now: datetime) -> None:
    """Make the demo's customer, who owns two homes and has used up their sheets."""
    password = new_password()
    folder.keep("sign-ins", [{"who": "customer", "id": CUSTOMER_MAIL, "password": password}])
    with transaction():
        _name, prefecture, city, street, postal_code = SITES[0]
        customer = Account(
            role="customer",
            email=CUSTOMER_MAIL,
            password_hash=hasher.hash(password),
            language="ja",
            created_at=past.opened(now, max(PAST_DAYS)),
            password_changed_at=now,
            family_name="日向",
            given_name="はるか",
            family_kana="ヒナタ",
            given_kana="ハルカ",
            phone="+81752000000",
            postal_code=postal_code,
            prefecture=prefecture,
            city=city,
            street=street,
        )
        db.session.add(customer)
        db.session.flush()
        terms.agree(
            terms.current("service", now),
            account_id=customer.id,
            agreed_at=now,
            network_address="127.0.0.1",
        )
        owned = provisioning.provision([as_row(home) for home in homes[: len(SITES)]], now=now)
        for home, one, site, days in zip(homes, owned, SITES, PAST_DAYS, strict=False):
            since = past.opened(now, days)
            installation = settle(customer, one, site, since)
            past.write(home, one.gateway.id, installation.id, since, now)


def settle(
    customer: Account, one: Provisioned, site: tuple[str, str, str, str, str], since: datetime
) -> Installation:
    """Let the customer own a gateway at a site."""
    name, prefecture, city, street, postal_code = site
    one.sheet.used_at = since
    one.sheet.used_by_id = customer.id
    # it has been connected ever since: the eco programme asks for that
    one.gateway.first_contact_at = since
    installation = Installation(
        gateway_id=one.gateway.id,
        account_id=customer.id,
        site_name=name,
        opened_at=since,
        claimed_from="127.0.0.1",
        claimed_sheet_id=one.sheet.id,
        postal_code=postal_code,
        prefecture=prefecture,
        city=city,
        street=street,
    )
    db.session.add(installation)
    db.session.flush()
    return installation


def top_up(folder: Folder, homes: list[Home], now: datetime) -> list[Sample]:
    """Import homes until three samples are unclaimed; return the new ones.

    Their passwords lie in plain text in the demo's folder: nobody lives in these homes.
    """
    lacking = SAMPLES - len(unclaimed(folder))
    known = set(db.session.scalars(select(Gateway.public_id)))
    fresh = [home for home in homes if home["id"] not in known][: max(lacking, 0)]
    if not fresh:
        return []
    samples: list[Sample] = folder.read("samples", [])
    written: list[Path] = []
    try:
        with transaction():
            provisioned = provisioning.provision([as_row(home) for home in fresh], now=now)
            new = [{"id": one.gateway.public_id, "password": one.password} for one in provisioned]
            written = write_sheets(folder.sheets, provisioned, now=now, language="ja")
            # before the commit: a gateway whose password nobody knows is no sample
            folder.keep("samples", samples + new)
    except BaseException:
        folder.keep("samples", samples)
        discard(written)
        raise
    return new


def unclaimed(folder: Folder) -> list[Sample]:
    """Return the samples that anybody may still register, the oldest first."""
    samples: list[Sample] = folder.read("samples", [])
    free = set(
        db.session.scalars(
            select(Gateway.public_id)
            .join(Sheet, Sheet.gateway_id == Gateway.id)
            .where(Sheet.revoked_at.is_(None), Sheet.used_at.is_(None))
        )
    )
    return [sample for sample in samples if sample["id"] in free]


def new_password() -> str:
    """Return a random password that the manual's rule takes and a phone types easily."""
    signs = "".join(choice(ALPHABET) for _ in range(9)).lower()
    return f"H{signs}{randbelow(10)}{choice('34679')}"
