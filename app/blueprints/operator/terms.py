"""利用規約: versions, a new one with a preview, and taking back what is not in force yet."""

from re import compile as regex

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import SelectField

from ... import clock
from ...domain import terms, terms_versions, texts
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..agreement.versions import versions as look_at_versions
from ..context import settings
from ..fields import TextField
from ..moments import MomentField
from ..signin.limited import client_address
from . import bp
from .reasons import ReasonForm
from .texts import BodyField, TextForm

NUMBER = regex(r"[0-9][0-9.]{0,15}")
ROW_ID = "<int(max=2147483647):version_id>"


def _kinds() -> list[tuple[str, str]]:
    return [
        ("service", str(_("お客様（利用規約）"))),
        ("dealer", str(_("販売店様（販売店様向け利用規約）"))),
        ("eco", str(_("エコ活サークルの会員（会員規約）"))),
    ]


class VersionForm(TextForm):
    """A new version of terms."""

    kind = SelectField(_("だれの規約"), choices=_kinds)
    version = TextField(
        _("版"),
        needed=_("版の番号を入力してください。"),
        longest=16,
        help=_("数字と「.」で、まだ使っていない番号にします。"),
        checks=[
            (
                lambda text: NUMBER.fullmatch(text) is not None,
                _("版は、2 や 2.1 のように数字と「.」で入力してください。"),
            )
        ],
    )
    effective_at = MomentField(
        _("効力が生じる日時"),
        help=_(
            "空欄にすると、公開と同時に効力が生じます。先の日時にすると、それまで画面で予告します。"
        ),
    )

    body_ja = BodyField(
        _("日本語の本文"),
        needed=_("日本語の本文を入力するか、ファイルを選んでください。"),
        help=_("Markdown で書きます。{SERVICE_NAME} などの名前は、設定の値に置き換わります。"),
    )
    # a contract has to be there for those who read English, too
    body_en = BodyField(
        _("英語の本文"), needed=_("英語の本文を入力するか、ファイルを選んでください。")
    )

    def filled(self, language: str) -> str:
        """Return the text as it will be kept and agreed to, word by word."""
        text = self.typed(f"body_{language}")
        return texts.fill(text, settings().names_by_language[language])


@bp.get("/terms")
def terms_list() -> str:
    """List the versions of each kind, with how many agreed."""
    now = clock.now()
    found = terms_versions.list_versions()
    standing = terms.look()
    in_force = [standing.in_force(kind, now) for kind in {one.kind for one in found}]
    return render_template(
        "operator/terms/list.html",
        versions=found,
        in_force=[one.id for one in in_force if one],
        agreed=terms_versions.count_agreed(),
        now=now,
    )


@bp.route("/terms/new", methods=["GET", "POST"])
def terms_new() -> ResponseReturnValue:
    """Take a new version, show it as it will be read, and publish it."""
    form = VersionForm()
    if request.method != "POST" or "back" in request.form:
        return render_template("operator/terms/new.html", form=form)
    if not form.check():
        return render_template("operator/terms/new.html", form=form), 422
    if "publish" not in request.form:
        return preview(form)
    try:
        with transaction():
            announced = terms_versions.announce(
                current_user,
                form.typed("kind"),
                form.typed("version"),
                body_ja=form.filled("ja"),
                body_en=form.filled("en"),
                effective_at=form.effective_at.moment,
                network_address=client_address(),
                now=clock.now(),
            )
            version_id = announced.id
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("operator/terms/new.html", form=form), status
    look_at_versions().forget()
    flash(_("規約を公開しました。"), "success")
    return redirect(url_for("operator.terms_show", version_id=version_id), code=303)


def preview(form: VersionForm) -> str:
    """Show both texts as users will read them."""
    return render_template(
        "operator/terms/preview.html",
        form=form,
        moment=form.effective_at.moment,
        body_ja=texts.render(form.filled("ja")),
        body_en=texts.render(form.filled("en")),
    )


@bp.get(f"/terms/{ROW_ID}")
def terms_show(version_id: int) -> str:
    """Show a version in both languages."""
    version = terms.get(version_id)
    return render_template(
        "operator/terms/show.html",
        version=version,
        body_ja=texts.render(version.body_ja),
        body_en=texts.render(version.body_en),
        agreed=terms_versions.count_agreed().get(version.id, 0),
        now=clock.now(),
    )


@bp.route(f"/terms/{ROW_ID}/withdraw", methods=["GET", "POST"])
def terms_withdraw(version_id: int) -> ResponseReturnValue:
    """Take back a version that is not in force yet."""
    version = terms.get(version_id)
    form = ReasonForm()
    if request.method != "POST":
        return render_template("operator/terms/withdraw.html", form=form, version=version)
    if not form.validate():
        return render_template("operator/terms/withdraw.html", form=form, version=version), 422
    try:
        with transaction():
            terms_versions.withdraw(
                current_user,
                version_id,
                reason=form.typed("reason"),
                network_address=client_address(),
                now=clock.now(),
            )
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return render_template("operator/terms/withdraw.html", form=form, version=version), status
    look_at_versions().forget()
    flash(_("公開前の規約を取り下げました。"), "success")
    return redirect(url_for("operator.terms_list"), code=303)
