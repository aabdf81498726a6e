"""The help desk: pages that say what will happen, ask for the reason, and do it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from ... import clock
from ...domain import desk, dossiers, provisioning
from ...domain.errors import NotFound, Rejected
from ...extensions import lazy_gettext as _
from ...transaction import transaction
from ..context import settings
from ..signin.limited import client_address
from . import GATEWAY, bp
from .forms import ReasonForm
from .sheets import printable_for, public_key


@dataclass(frozen=True)
class Act:
    """What can be done, in the words of its page."""

    title: object
    button: object
    # what will happen, in the words of who decides on it
    means: tuple[object, ...]
    done: object
    is_final: bool = False


ON_ACCOUNT = {
    "lock": Act(
        _("アカウントのロック"),
        _("ロックする"),
        (
            _("すべての端末で、次の操作からログアウトされます。"),
            _("ロックを解除するまで、ログインもパスワードの再設定もできません。"),
            _("ご本人にメールでお知らせします。"),
        ),
        _("アカウントをロックしました。"),
        is_final=True,
    ),
    "unlock": Act(
        _("アカウントのロック解除"),
        _("ロックを解除する"),
        (
            _("これまでのパスワードで、もう一度ログインできるようになります。"),
            _("ご本人にメールでお知らせします。"),
        ),
        _("アカウントのロックを解除しました。"),
    ),
    "password": Act(
        _("パスワード再設定のメール"),
        _("メールを送る"),
        (
            _("ご本人のメールアドレスに、パスワードを再設定するURLをお送りします。"),
            _("いまのパスワードは、再設定が済むまで変わりません。"),
        ),
        _("パスワード再設定のメールをお送りしました。"),
    ),
    "factor": Act(
        _("二段階認証のリセット"),
        _("リセットする"),
        (
            _("認証アプリ、リカバリーコード、パスキーがすべて使えなくなります。"),
            _("すべての端末で、次の操作からログアウトされます。"),
            _("お電話の相手がご本人であることを、必ず先にお確かめください。"),
            _("ご本人にメールでお知らせします。"),
        ),
        _("二段階認証をリセットしました。"),
        is_final=True,
    ),
    "close": Act(
        _("アカウントの閉鎖"),
        _("アカウントを閉鎖する"),
        (
            _("すべての端末で、次の操作からログアウトされ、二度とログインできません。"),
            _("登録されているゲートウェイは、すべて取り外されます。"),
            _("元に戻すことはできません。"),
            _("ご本人にメールでお知らせします。"),
        ),
        _("アカウントを閉鎖しました。"),
        is_final=True,
    ),
}
ON_DEALER = {
    "approve": Act(
        _("販売店様の承認"),
        _("承認する"),
        (
            _("販売店IDを発行し、販売店様にメールでお知らせします。"),
            _("お客様は、販売店IDと電話番号で保守を任せられるようになります。"),
        ),
        _("販売店IDを発行しました。"),
    ),
    "close": Act(
        _("販売店様の閉鎖"),
        _("閉鎖する"),
        (
            _("この販売店様の方は、全員ログインできなくなります。"),
            _("お客様は、この販売店様に保守を任せられなくなります。"),
            _("元に戻すことはできません。"),
            _("販売店様にメールでお知らせします。"),
        ),
        _("販売店様を閉鎖しました。"),
        is_final=True,
    ),
}
ON_GATEWAY = {
    "free": Act(
        _("ゲートウェイを空ける"),
        _("空ける"),
        (
            _("いまの持ち主は、このゲートウェイをすぐに見られなくなります。"),
            _("これまでの記録は、持ち主のものとして残ります。"),
            _("ほかの方が登録するには、用紙の再発行が必要です。"),
            _("持ち主にメールでお知らせします。"),
        ),
        _("ゲートウェイを空けました。"),
        is_final=True,
    ),
    "reissue": Act(
        _("用紙の再発行"),
        _("再発行する"),
        (
            _("新しいパスワードの用紙を発行します。これまでの用紙は、すぐに使えなくなります。"),
            _("パスワードは、このブラウザで、決められた時間のあいだだけ印刷できます。"),
            _("持ち主がいれば、メールでお知らせします。登録は変わりません。"),
        ),
        _("用紙を再発行しました。印刷して、印刷を確認してください。"),
        is_final=True,
    ),
}
MAIL_AGAIN = Act(
    _("登録のメールの再送"),
    _("メールを送る"),
    (
        _("同じメールアドレスに、新しいURLをお送りします。"),
        _("これまでのURLは、すぐに使えなくなります。"),
    ),
    _("登録のメールをお送りしました。"),
)
NAME = "<any({}):name>"


@bp.route(
    f"/accounts/<int:account_id>/{NAME.format(', '.join(ON_ACCOUNT))}", methods=["GET", "POST"]
)
@login_required
def act_on_account(account_id: int, name: str) -> ResponseReturnValue:
    """Lock, unlock or close an account, reset its second factor, or mail a password's URL."""
    account = dossiers.get_account(current_user, account_id)
    facts = [
        (_("氏名"), account.display_name),
        (_("ユーザID（メールアドレス）"), account.email),
    ]
    if account.dealer_id is not None:
        back = url_for("operator.dealer", dealer_id=account.dealer_id)
    else:
        back = url_for("operator.customer", account_id=account_id)

    def do(call: desk.Call) -> None:
        if name == "password":
            desk.mail_password_url(call, account_id, hours=settings().reset_url_hours)
        else:
            of_name = {
                "lock": desk.lock,
                "unlock": desk.unlock,
                "factor": desk.reset_factor,
                "close": desk.close_account,
            }
            of_name[name](call, account_id)

    return perform(ON_ACCOUNT[name], facts, back, do)


@bp.route(f"/dealers/<int:dealer_id>/{NAME.format(', '.join(ON_DEALER))}", methods=["GET", "POST"])
@login_required
def act_on_dealer(dealer_id: int, name: str) -> ResponseReturnValue:
    """Approve or close a dealer."""
    dealer = dossiers.get_dealer(current_user, dealer_id, clock.now()).dealer
    facts = [(_("販売店名"), dealer.name), (_("販売店ID"), dealer.dealer_no)]
    back = url_for("operator.dealer", dealer_id=dealer_id)
    do = {"approve": desk.approve_dealer, "close": desk.close_dealer}[name]
    return perform(ON_DEALER[name], facts, back, lambda call: do(call, dealer_id))


@bp.route(f"/gateways/{GATEWAY}/{NAME.format(', '.join(ON_GATEWAY))}", methods=["GET", "POST"])
@login_required
def act_on_gateway(gateway_id: str, name: str) -> ResponseReturnValue:
    """Take a gateway from its owner, or issue its next sheet."""
    file = dossiers.get_gateway(current_user, gateway_id)
    owner = file.present.account if file.present else None
    facts = [
        (_("ゲートウェイID"), gateway_id),
        (_("いまの持ち主"), owner.display_name if owner else _("いません")),
    ]
    if name == "free" and owner is None and request.method != "POST":
        raise NotFound
    standing = next((one.version for one in file.sheets if one.revoked_at is None), 0)

    def do(call: desk.Call) -> None:
        if name == "free":
            desk.free_gateway(call, gateway_id)
            return
        # the slow part comes first: nobody waits for our rows while argon2 works
        [password] = provisioning.new_passwords(1)
        desk.reissue_sheet(
            call,
            gateway_id,
            seen_version=request.form.get("seen", -1, type=int),
            password=password,
            public_key=public_key(),
            until=call.now + printable_for(),
        )

    back = url_for("operator.gateway", gateway_id=gateway_id)
    return perform(ON_GATEWAY[name], facts, back, do, seen=standing)


@bp.route(
    "/registrations/<any(customer, dealer):kind>/<int:registration_id>/mail",
    methods=["GET", "POST"],
)
@login_required
def mail_registration(kind: str, registration_id: int) -> ResponseReturnValue:
    """Send the mail of a provisional registration once more, with a new URL."""
    registration = dossiers.get_registration(current_user, kind, registration_id)
    facts = [
        (_("氏名"), registration.display_name),
        (_("メールアドレス"), registration.email),
    ]
    back = url_for("operator.registration", kind=kind, registration_id=registration_id)
    days = settings().registration_url_days

    def do(call: desk.Call) -> None:
        desk.mail_registration_again(call, kind, registration_id, url_days=days)

    return perform(MAIL_AGAIN, facts, back, do)


def perform(
    act: Act,
    facts: list[tuple[object, Any]],
    back: str,
    do: Callable[[desk.Call], object],
    *,
    seen: int = 0,
) -> ResponseReturnValue:
    """Show the page of an act, or do it for the reason given and lead back."""
    form = ReasonForm()
    status = 200
    if request.method == "POST":
        if form.validate():
            call = desk.Call(current_user, form.typed("reason"), client_address(), clock.now())
            try:
                with transaction():
                    do(call)
            except Rejected as refusal:
                form.show_rejection(refusal)
                status = 409
            else:
                flash(str(act.done), "success")
                return redirect(back, code=303)
        else:
            status = 422
    page = render_template(
        "operator/act.html", act=act, facts=facts, back=back, form=form, seen=seen
    )
    return page, status
