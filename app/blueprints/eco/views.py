"""The introduction, the rules, one's gateways in the programme, and leaving it."""

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_login import current_user, login_required

from ... import clock
from ...domain import (
    applications,
    eco,
    eligibility,
    gateways,
    installations,
    membership_rules,
    memberships,
    terms,
    texts,
)
from ...domain.errors import NotFound
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from .. import listing
from ..context import settings
from ..signin.limited import client_address
from . import GATEWAY, bp
from .offering import programme_is_open, the_programme


@bp.get("", strict_slashes=False)
def introduction() -> str:
    """Tell what the programme is, to whoever asks."""
    now = clock.now()
    return render_template(
        "eco/introduction.html", programme=the_programme(), is_open=programme_is_open(now)
    )


@bp.get("/rules")
def rules() -> str:
    """Show the programme's rules, those that come too.

    Raises:
        NotFound: There are none.
    """
    now = clock.now()
    coming = terms.find_coming(memberships.TERMS_KIND, now)
    try:
        present = terms.current(memberships.TERMS_KIND, now)
    except terms.NothingPublished as nothing:
        if coming is None:
            raise NotFound from nothing
        present = None
    return render_template("eco/rules.html", present=present, coming=coming, body_of=body_of)


def body_of(version: terms.Version) -> object:
    """Return the text of a version as readers of this page's language see it."""
    return texts.render(terms.body(version, str(get_locale())))


@bp.get("/gateways")
@login_required
def home() -> str:
    """List one's gateways with their part in the programme, and what was earlier."""
    now = clock.now()
    shown = installations.search(current_user, "", page=listing.page())
    taken = memberships.list_of(current_user)
    known = eco.look(shown.rows, current_user, the_programme(), now)
    return render_template(
        "eco/home.html",
        shown=shown,
        standing=memberships.find_all(shown.rows),
        past=[one for one in taken if one.ended_at],
        offered={
            installation_id
            for installation_id, found in known.items()
            if eligibility.may_be_offered(found)
        },
        is_open=programme_is_open(now),
        asked=membership_rules.find_asked(current_user, now),
    )


@bp.get(f"/gateways/{GATEWAY}")
@login_required
def show(gateway_id: str) -> str:
    """Show each condition for a gateway, met or not, and what may be done next."""
    installation = gateways.get_owned(current_user, gateway_id)
    now = clock.now()
    membership = memberships.find(installation)
    found = applications.conditions(
        installation,
        current_user,
        applications.declared_in(membership) if membership else None,
        the_programme(),
        now,
        asks_subsidy=settings().eco_ask_subsidy,
        as_of=membership.applied_at if membership else None,
    )
    return render_template(
        "eco/show.html",
        installation=installation,
        membership=membership,
        conditions=found,
        may_apply=programme_is_open(now) and eligibility.may_be_offered(found),
        is_open=programme_is_open(now),
        programme=the_programme(),
    )


@bp.route(f"/gateways/{GATEWAY}/withdraw", methods=["GET", "POST"])
@login_required
def withdraw(gateway_id: str) -> ResponseReturnValue:
    """Say what leaving means, then do it."""
    membership = memberships.get_standing(current_user, gateway_id)
    if request.method != "POST":
        return render_template(
            "eco/withdraw.html",
            membership=membership,
            installation=membership.installation,
            programme=the_programme(),
        )
    with transaction():
        memberships.withdraw(
            current_user, gateway_id, network_address=client_address(), now=clock.now()
        )
    flash(_("脱退の手続きが終わりました。お知らせのメールをお送りしました。"), "success")
    return redirect(url_for("eco.home"), code=303)


@bp.route("/rules/agree", methods=["GET", "POST"])
@login_required
def agree() -> ResponseReturnValue:
    """Ask a member to agree to rules that came into force; nothing else waits for it."""
    now = clock.now()
    refusal = None
    if request.method == "POST":
        try:
            with transaction():
                membership_rules.agree(
                    current_user,
                    request.form.get("terms_version", 0, type=int),
                    network_address=client_address(),
                    now=now,
                )
        except applications.RulesChanged as changed:
            refusal = changed
        else:
            flash(_("新しい会員規約に同意いただき、ありがとうございます。"), "success")
            return redirect(url_for("eco.home"), code=303)
    version = membership_rules.find_asked(current_user, now)
    if version is None:
        return redirect(url_for("eco.home"), code=303)
    page = render_template(
        "eco/agree.html",
        version=version,
        body=body_of(version),
        until=membership_rules.ends_at(version, the_programme()),
        refusal=refusal,
    )
    return page, 422 if refusal else 200
