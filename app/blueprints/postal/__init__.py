"""Postal codes fill in addresses, in whichever form has one."""

from flask import Blueprint, abort, render_template, request

from .forms import GROUPS, AddressForm

bp = Blueprint("postal", __name__, url_prefix="/postal")


@bp.post("/<group>")
def lookup(group: str) -> str:
    """Fill in what the postal code of a group of address fields tells, and render the group."""
    address = _address(group)
    found = look_up(address, group)
    return render_template("postal/_address.html", address=address, group=group, found=found)


@bp.post("/<group>/<name>")
def check_field(group: str, name: str) -> str:
    """Check one field of an address as it is left, and render it."""
    address = _address(group)
    if name not in address:
        abort(404)
    address.validate()
    return render_template("postal/_field.html", f=address[name], group=group)


def look_up(address: AddressForm, group: str) -> object:
    """Fill in a group of the form that was sent; return what to say of it."""
    return address.fill_in(request.form.get(f"{group}_town", ""))


def _address(group: str) -> AddressForm:
    if group not in GROUPS:
        abort(404)
    return AddressForm(request.form, prefix=f"{group}_")
