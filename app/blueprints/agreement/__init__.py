"""利用規約 for who is signed in: shown before they come into force, and agreed to again then."""

from flask import Blueprint, Flask, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_login import current_user, login_required

from ... import clock
from ...domain import terms, texts
from ...domain.errors import Rejected
from ...domain.terms import KIND_OF_ROLE, Known
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..paths import is_page, local_path
from ..signin.limited import client_address
from .versions import standing, versions

bp = Blueprint("agreement", __name__, url_prefix="/terms")

# pages that need no agreement: public ones, and those by which one leaves or finds help
FREE = frozenset(
    {
        "activation",
        "agreement",
        "api",
        "dev",
        "dev_sheets",
        "guide",
        "health",
        "language",
        "manual",
        "metrics",
        "postal",
        "registration",
        "signin",
    }
)
# single views that are free in blueprints that are not, such as closing one's account
LEAVE = "account.close"
FREE_VIEWS = frozenset({LEAVE})
HOME = {"customer": "manage.menu", "dealer": "manage.menu"}


@bp.before_app_request
def lead_to_agreement() -> ResponseReturnValue | None:
    """Lead who has not agreed to the terms in force to them, from the next page they open.

    Pages only: what is sent is taken, parts of a page that htmx asks for stay as they are.
    """
    if (
        request.method not in ("GET", "HEAD")
        or request.endpoint is None
        or "HX-Request" in request.headers
        or request.blueprint in FREE
        or request.endpoint in FREE_VIEWS
        or not current_user.is_authenticated
        or current_user.role not in KIND_OF_ROLE
        or not standing().asks(current_user, clock.now())
    ):
        return None
    if in_force_and_agreed():
        # this process's look is older than the database: a version was withdrawn at the last moment
        versions().forget()
        return None
    page = request.full_path.rstrip("?")
    return redirect(url_for("agreement.agree", next=page), code=303)


def in_force_and_agreed() -> bool:
    """Ask the database whether who is signed in agreed to what is in force."""
    try:
        version = terms.current(terms.kind_for(current_user), clock.now())
    except terms.NothingPublished:
        return True
    return bool(current_user.agreed_terms_id == version.id)


def coming_terms() -> Known | None:
    """Return the terms that come into force next for who is signed in, to be announced."""
    if not current_user.is_authenticated or current_user.role not in KIND_OF_ROLE:
        return None
    return standing().coming(KIND_OF_ROLE[current_user.role], clock.now())


@bp.record_once
def _give_templates(state: object) -> None:
    app: Flask = state.app  # type: ignore[attr-defined]
    app.jinja_env.globals["coming_terms"] = coming_terms


@bp.get("", strict_slashes=False)
@login_required
def show() -> str:
    """Show the terms that come, if there are any, and those in force.

    Raises:
        NotFound: There are no terms for who is signed in.
    """
    kind, now = terms.kind_for(current_user), clock.now()
    try:
        present = terms.current(kind, now)
    except terms.NothingPublished:
        present = None
    coming = terms.find_coming(kind, now)
    return render_template(
        "agreement/show.html",
        kind=kind,
        present=present,
        coming=coming,
        body_of=body_of,
    )


@bp.route("/agree", methods=["GET", "POST"])
@login_required
def agree() -> ResponseReturnValue:
    """Ask to agree to the terms in force, and lead back to the page that was wanted.

    Raises:
        NotFound: There are no terms for who is signed in.
    """
    wanted = local_path(request.values.get("next"), "")
    home = url_for(HOME[current_user.role]) if current_user.role in HOME else "/"
    wanted = wanted if wanted and is_page(wanted) else home
    kind = terms.kind_for(current_user)
    if request.method != "POST":
        return redirect(wanted, code=303) if in_force_and_agreed() else ask(kind, wanted)
    try:
        with transaction():
            terms.agree_again(
                current_user,
                request.form.get("terms_version", 0, type=int),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        return ask(kind, wanted, refusal), 422
    flash(_("新しい利用規約に同意いただき、ありがとうございます。"), "success")
    return redirect(wanted, code=303)


def ask(kind: str, wanted: str, refusal: Rejected | None = None) -> str:
    """Render the terms in force with 「同意する」."""
    version = terms.current(kind, clock.now())
    return render_template(
        "agreement/agree.html",
        kind=kind,
        version=version,
        body=body_of(version),
        wanted=wanted,
        refusal=refusal,
        has_agreed_before=current_user.agreed_terms_id is not None,
        leave_url=url_for(LEAVE) if LEAVE in current_app.view_functions else None,
    )


def body_of(version: terms.Version) -> object:
    """Return the text of a version as readers of this page's language see it."""
    return texts.render(terms.body(version, str(get_locale())))
