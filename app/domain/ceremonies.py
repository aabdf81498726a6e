"""What WebAuthn asks of a device and how its answer is checked: the only import of `webauthn`.

Loading it takes 0.3 s and 20 MB; only `passkeys` imports this module, as the first passkey is
asked for, so that workers, cron and commands never do.
"""

import json
from dataclasses import dataclass
from typing import Any

import webauthn
from cryptography.exceptions import UnsupportedAlgorithm
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from .passkeys import Site

TIMEOUT_MS = 120_000
# what a forged answer can make the library and its parsers raise; RecursionError: "[[[[[…"
FORGED = (
    WebAuthnException,
    UnsupportedAlgorithm,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    RecursionError,
)


@dataclass(frozen=True)
class Made:
    """A new passkey, checked."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]


@dataclass(frozen=True)
class Shown:
    """What an answer says of itself, before anything of it is checked."""

    credential_id: bytes
    user_handle: bytes | None
    answer: Any


def ask_to_make(
    site: Site,
    challenge: bytes,
    *,
    user_handle: bytes,
    user_name: str,
    display_name: str,
    known: list[bytes],
) -> dict[str, Any]:
    """Return the options of `navigator.credentials.create()`."""
    options = webauthn.generate_registration_options(
        rp_id=site.rp_id,
        rp_name=site.name,
        user_id=user_handle,
        user_name=user_name,
        user_display_name=display_name,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        # found on the device without a user ID; unlocked by finger, face or PIN
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=one) for one in known],
    )
    return _plain(options)


def ask_to_sign(site: Site, challenge: bytes, *, allowed: list[bytes]) -> dict[str, Any]:
    """Return the options of `navigator.credentials.get()`; without `allowed`, of any of ours."""
    options = webauthn.generate_authentication_options(
        rp_id=site.rp_id,
        challenge=challenge,
        timeout=TIMEOUT_MS,
        allow_credentials=[PublicKeyCredentialDescriptor(id=one) for one in allowed] or None,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return _plain(options)


def check_made(site: Site, challenge: bytes, answer: str) -> Made | None:
    """Return the new passkey, or None where anything of the answer is wrong."""
    try:
        parsed = parse_registration_credential_json(answer)
        verified = webauthn.verify_registration_response(
            credential=parsed,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            require_user_verification=True,
        )
    except FORGED:
        return None
    return Made(
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        [one.value for one in parsed.response.transports or []],
    )


def read_shown(answer: str) -> Shown | None:
    """Return which passkey an answer names, or None where it is none."""
    try:
        parsed = parse_authentication_credential_json(answer)
    except FORGED:
        return None
    return Shown(parsed.raw_id, parsed.response.user_handle, parsed)


def check_shown(site: Site, challenge: bytes, shown: Shown, public_key: bytes) -> int | None:
    """Return the device's count of its signatures, or None where anything is wrong.

    The count itself is not judged here: that is the database's.
    """
    try:
        verified = webauthn.verify_authentication_response(
            credential=shown.answer,
            expected_challenge=challenge,
            expected_rp_id=site.rp_id,
            expected_origin=list(site.origins),
            credential_public_key=public_key,
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except FORGED:
        return None
    return verified.new_sign_count


def _plain(options: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(webauthn.options_to_json(options))
    return plain
