"""契約電流: chosen here, confirmed and recorded like what a device is set to."""

from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from flask_login import login_required
from wtforms import HiddenField, RadioField

from ... import clock
from ...domain import normalise
from ...domain import setting_contracts as contracts
from ...extensions import lazy_gettext as _
from ..fields import TextField
from ..forms import Form
from ..setting_words import MEANINGS, NAMES, setting_value
from . import GATEWAY, bp
from .confirming import confirm_page
from .forms import from_json, to_json
from .views import access_asked

# not among the usual ones
OWN = "own"
_NUMBERS = _(
    "%(low)s〜%(high)sの数字で入力してください。", low=contracts.LEAST, high=contracts.MOST
)


class ContractForm(Form):
    """The usual contracts to choose from; any other is typed."""

    # what the page said when it was made
    seen = HiddenField()
    amperes = RadioField(
        NAMES[contracts.KEY],
        choices=[
            *[(str(size), setting_value(contracts.KEY, size)) for size in contracts.USUAL],
            (OWN, _("そのほか（kVAの契約など）")),
            (str(contracts.UNKNOWN), _("わからない")),
        ],
        description=MEANINGS[contracts.KEY],
        validate_choice=False,
    )
    own = TextField(
        _("そのほかの契約電流"),
        tidy=lambda text: normalise.line(text).upper().removesuffix("A").strip(),
        width="xs",
        help=_(
            "「そのほか」を選んだときに入力します。"
            "kVAの契約は、kVAの数を10倍にしてください（8 kVAなら80）。"
        ),
        attrs={"inputmode": "numeric"},
    )

    def wanted(self) -> int | None:
        """Return what was chosen, or None with errors at the field that will not do."""
        is_own = self.amperes.data == OWN
        field: Any = self.own if is_own else self.amperes
        typed = field.data or ""
        is_number = len(typed) < 6 and typed.isascii() and typed.isdecimal()
        if is_number and contracts.allows(int(typed)):
            return int(typed)
        words = _NUMBERS if is_own else _("一覧から選んでください。")
        field.errors = [*field.errors, words]
        return None


def _filled(seen: int, chosen: object) -> ContractForm:
    """Return the form as it stands before anybody touched it."""
    form = ContractForm(formdata=None)
    form.seen.data = to_json({contracts.KEY: seen})
    is_usual = chosen in (*contracts.USUAL, contracts.UNKNOWN)
    form.amperes.data = str(chosen) if is_usual else OWN
    form.own.data = "" if is_usual else str(chosen)
    return form


@bp.route(f"/{GATEWAY}/settings/contract", methods=["GET", "POST"])
@login_required
def contract(gateway_id: str) -> ResponseReturnValue:
    """Choose the home's 契約電流; what was chosen is confirmed on the next page."""
    access = access_asked(gateway_id, clock.now(), to_set=True)
    seen = from_json(request.form.get("seen")).get(contracts.KEY)
    if not (isinstance(seen, int) and contracts.allows(seen)):
        seen = contracts.present(access.installation)
    status = 200
    if request.method == "GET" or "back" in request.form:
        # 前に戻る, from the confirmation
        chosen = from_json(request.form.get("wanted")).get(contracts.KEY, seen)
        form = _filled(seen, chosen if contracts.allows(chosen) else seen)
    else:
        form, status = ContractForm(), 422
        wanted = form.wanted() if form.validate() else None
        if wanted == seen:
            form.form_errors.append(
                _("変更するところがありません。値を変えてから、進んでください。")
            )
        elif wanted is not None:
            return confirm_page(
                gateway_id,
                access,
                {contracts.KEY: wanted},
                seen={contracts.KEY: seen},
            )
    page = render_template(
        "settings/contract.html",
        gateway_id=gateway_id,
        installation=access.installation,
        form=form,
    )
    return page, status
