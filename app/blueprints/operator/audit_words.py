"""What the codes of the audit log are called."""

from collections.abc import Mapping

from ...extensions import lazy_gettext as _

ACTIONS: Mapping[str, object] = {
    "signed_in": _("ログインした"),
    "sign_in_refused": _("ログインを断られた"),
    "signed_out_elsewhere": _("ほかの端末をログアウトさせた"),
    "password_changed": _("パスワードを変更した"),
    "account.created": _("アカウントを作成した"),
    "account.edited": _("お客様情報を変更した"),
    "registration.mailed_again": _("仮登録のメールをもう一度送った"),
    "dealer_registration.mailed_again": _("販売店の仮登録のメールをもう一度送った"),
    "dealer.registered": _("販売店を登録した"),
    "dealer.approved": _("販売店を承認した"),
    "gateway.imported": _("ゲートウェイを取り込んだ"),
    "gateway.claimed": _("ゲートウェイを登録した"),
    "gateway.removed": _("ゲートウェイを取り外した"),
    "site.edited": _("設置先を変更した"),
    "terms.published": _("規約を公開した"),
    "terms.withdrawn": _("規約を取り下げた"),
    "campaign.written": _("キャンペーンを作成した"),
    "campaign.edited": _("キャンペーンを変更した"),
    "campaign.published": _("キャンペーンを公開した"),
    "campaign.withdrawn": _("キャンペーンを取り下げた"),
    "mail.sent_again": _("メールをもう一度送った"),
    "mail.released": _("取りやめたメールの送信を再開した"),
    "job.requeued": _("失敗したジョブをやり直した"),
    "job.dismissed": _("失敗したジョブを片付けた"),
}

SUBJECTS: Mapping[str, object] = {
    "account": _("アカウント"),
    "session": _("ログイン"),
    "registration": _("仮登録"),
    "dealer_registration": _("販売店の仮登録"),
    "dealer": _("販売店"),
    "gateway": _("ゲートウェイ"),
    "sheet": _("用紙"),
    "installation": _("案件"),
    "terms_version": _("規約の版"),
    "campaign": _("キャンペーン"),
    "mail": _("メール"),
    "job": _("ジョブ"),
}
