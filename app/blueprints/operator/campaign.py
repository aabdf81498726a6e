"""キャンペーン: what newcomers read first, from when until when."""

from datetime import datetime

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from wtforms import HiddenField

from ... import clock
from ...domain import campaigns, texts
from ...domain.campaigns import Plan
from ...domain.errors import Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..moments import MomentField, typed_moment
from ..signin.limited import client_address
from . import bp
from .texts import BodyField, TextForm

ROW_ID = "<int(max=2147483647):campaign_id>"


class CampaignForm(TextForm):
    """The text, and when it is shown."""

    begins_at = MomentField(_("始まりの日時"), needed=_("始まりの日時を入力してください。"))
    ends_at = MomentField(_("終わりの日時"), help=_("空欄にすると、取り下げるまで表示されます。"))
    body_ja = BodyField(
        _("日本語の本文"),
        needed=_("日本語の本文を入力するか、ファイルを選んでください。"),
        help=_(
            "Markdown で書きます。1行目がキャンペーンの名前になり、用紙にも印刷されます。"
            "{SERVICE_NAME} などの名前は、設定の値に置き換わります。"
        ),
    )
    body_en = BodyField(_("英語の本文"), help=_("空欄のときは、日本語の本文が表示されます。"))
    # as which the campaign was opened: two operators do not overwrite each other
    seen = HiddenField()

    def to_plan(self) -> Plan:
        """Return what was written."""
        begins_at = self.begins_at.moment
        assert begins_at is not None  # checked
        return Plan(self.typed("body_ja"), self.typed("body_en"), begins_at, self.ends_at.moment)


@bp.get("/campaigns")
def campaign_list() -> str:
    """List the campaigns, the one that begins last first."""
    now = clock.now()
    rows = [
        (one, campaigns.title(one.body_ja), campaigns.state(one, now))
        for one in campaigns.list_newest()
    ]
    return render_template("operator/campaign/list.html", rows=rows)


@bp.route("/campaigns/new", methods=["GET", "POST"])
def campaign_new() -> ResponseReturnValue:
    """Write a campaign, beginning with the text of the content folder."""
    folder = settings().content_dir
    form = CampaignForm(
        data={
            "body_ja": texts.read(folder, campaigns.FILE, "ja") or "",
            "body_en": texts.read(folder, campaigns.FILE, "en") or "",
            "begins_at": typed_moment(clock.now()),
        }
    )
    if request.method != "POST":
        return show_form(form)
    if not form.check():
        return show_form(form), 422
    if "preview" in request.form:
        return show_form(form, previewed=True)
    try:
        with transaction():
            made = campaigns.write(
                current_user, form.to_plan(), network_address=client_address(), now=clock.now()
            )
            campaign_id = made.id
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return show_form(form), status
    flash(_("キャンペーンを保存しました。公開するまで、お客様には表示されません。"), "success")
    return redirect(url_for("operator.campaign_show", campaign_id=campaign_id), code=303)


@bp.get(f"/campaigns/{ROW_ID}")
def campaign_show(campaign_id: int) -> str:
    """Show a campaign as newcomers read it, with what can be done."""
    campaign = campaigns.get(campaign_id)
    return render_template(
        "operator/campaign/show.html",
        campaign=campaign,
        title=campaigns.title(rendered_text(campaign.body_ja, "ja")),
        state=campaigns.state(campaign, clock.now()),
        body_ja=rendered(campaign.body_ja, "ja"),
        body_en=rendered(campaign.body_en, "en"),
    )


@bp.route(f"/campaigns/{ROW_ID}/edit", methods=["GET", "POST"])
def campaign_edit(campaign_id: int) -> ResponseReturnValue:
    """Change a campaign; one that runs is shown so from now on."""
    campaign = campaigns.get(campaign_id)
    form = CampaignForm(
        data={
            "body_ja": campaign.body_ja,
            "body_en": campaign.body_en,
            "begins_at": typed_moment(campaign.begins_at),
            "ends_at": typed_moment(campaign.ends_at),
            "seen": campaign.edited_at.isoformat(),
        }
    )
    if request.method != "POST":
        return show_form(form, campaign_id)
    if not form.check():
        return show_form(form, campaign_id), 422
    if "preview" in request.form:
        return show_form(form, campaign_id, previewed=True)
    try:
        with transaction():
            campaigns.edit(
                current_user,
                campaign_id,
                form.to_plan(),
                seen=seen_in(form),
                network_address=client_address(),
                now=clock.now(),
            )
    except campaigns.CampaignChanged as refusal:
        # what was typed stays, and the next press overwrites what was read here
        form.seen.data = campaigns.get(campaign_id).edited_at.isoformat()
        form.show_rejection(refusal)
        return show_form(form, campaign_id), 409
    except Rejected as refusal:
        status = form.show_rejection(refusal)
        return show_form(form, campaign_id), status
    flash(_("キャンペーンを保存しました。"), "success")
    return redirect(url_for("operator.campaign_show", campaign_id=campaign_id), code=303)


@bp.post(f"/campaigns/{ROW_ID}/publish")
def campaign_publish(campaign_id: int) -> ResponseReturnValue:
    """Show a campaign while it lasts."""
    with transaction():
        campaigns.publish(
            current_user, campaign_id, network_address=client_address(), now=clock.now()
        )
    flash(
        _("キャンペーンを公開しました。期間のあいだ、登録サイトの最初に表示されます。"), "success"
    )
    return redirect(url_for("operator.campaign_show", campaign_id=campaign_id), code=303)


@bp.post(f"/campaigns/{ROW_ID}/withdraw")
def campaign_withdraw(campaign_id: int) -> ResponseReturnValue:
    """Show a campaign no longer."""
    with transaction():
        campaigns.withdraw(
            current_user, campaign_id, network_address=client_address(), now=clock.now()
        )
    flash(_("キャンペーンを取り下げました。登録サイトには表示されません。"), "success")
    return redirect(url_for("operator.campaign_show", campaign_id=campaign_id), code=303)


def show_form(
    form: CampaignForm, campaign_id: int | None = None, *, previewed: bool = False
) -> str:
    """Render the form as it stands, with a preview of its text if that was asked for."""
    return render_template(
        "operator/campaign/form.html",
        form=form,
        campaign_id=campaign_id,
        previewed=previewed,
        body_ja=rendered(form.typed("body_ja"), "ja") if previewed else "",
        body_en=rendered(form.typed("body_en"), "en") if previewed else "",
    )


def seen_in(form: CampaignForm) -> datetime:
    """Return as which the campaign was opened; the beginning of time if that was tampered with."""
    nothing = "1970-01-01T00:00:00+00:00"
    try:
        seen = datetime.fromisoformat(form.typed("seen"))
    except ValueError:
        seen = datetime.fromisoformat(nothing)
    return seen if seen.tzinfo else datetime.fromisoformat(nothing)


def rendered_text(text: str, language: str) -> str:
    """Return a text with the configured names put in."""
    return texts.fill(text, settings().names_by_language[language])


def rendered(text: str, language: str) -> object:
    """Return a text as newcomers read it."""
    return texts.render(rendered_text(text, language)) if text else ""
