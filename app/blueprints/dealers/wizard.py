"""The dealers' blueprint, and where this browser keeps a dealer's draft."""

from flask import Blueprint

from ...domain import drafts
from ..registration.wizard import Wizard
from .forms import DealerForm

bp = Blueprint("dealers", __name__)

dealers_wizard = Wizard("dealer", "dealer_draft")


def form_of(draft: drafts.Draft) -> DealerForm:
    """Return the form, filled with what the draft holds."""
    return DealerForm(data=draft.data)
