"""`flask devices …`: by what gateways that dial in sign in."""

from pathlib import Path
from typing import TextIO

import click
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app
from flask.cli import AppGroup
from flask_babel import force_locale

from .. import clock, holders
from ..config import Settings
from ..domain import device_credentials as rules
from ..domain.errors import NotFound, Rejected
from ..transaction import transaction
from .secret_files import write_secrets

devices = AppGroup("devices", help="Gateways that dial in: their keys and secrets.")
key = AppGroup("key", help="Public keys by which gateways sign in.")
secret = AppGroup("secret", help="Secrets by which gateways sign in.")
devices.add_command(key)
devices.add_command(secret)


@key.command("add")
@click.argument("gateway")
@click.argument("file", type=click.File("r"))
def add_key(gateway: str, file: TextIO) -> None:
    """Let GATEWAY sign in by the public key in FILE (OpenSSH's format; - reads standard input)."""
    # a key is one short line
    line = file.read(20_000)
    try:
        with force_locale("en"), transaction():
            shown = rules.add_key(gateway, line, now=clock.now())
    except NotFound as error:
        raise _unknown(gateway) from error
    except Rejected as refusal:
        raise _refused(refusal) from refusal
    click.echo(f"{gateway}: key {shown} added")


@key.command("list")
@click.argument("gateway")
def list_keys(gateway: str) -> None:
    """Show the fingerprints of the keys of GATEWAY, and whether it has a secret."""
    try:
        rules.get(gateway)
    except NotFound as error:
        raise _unknown(gateway) from error
    for one in rules.standing([gateway]).get(gateway, []):
        click.echo(rules.fingerprint(one.digest) if one.kind == "key" else "a secret")


@key.command("revoke")
@click.argument("gateway")
@click.argument("fingerprint")
def revoke_key(gateway: str, fingerprint: str) -> None:
    """End the key of GATEWAY with that FINGERPRINT (SHA256:…); it is cut off at once."""
    try:
        with force_locale("en"), transaction():
            rules.revoke_key(gateway, fingerprint, now=clock.now())
    except NotFound as error:
        raise _unknown(gateway) from error
    except Rejected as refusal:
        raise _refused(refusal) from refusal
    click.echo(f"{gateway}: key revoked{_cut_off([gateway])}")


@secret.command("new")
@click.argument("gateways", nargs=-1, required=True)
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them into this new file, which only you can read, instead of showing them.",
)
def new_secret(gateways: tuple[str, ...], file: Path | None) -> None:
    """Give each of GATEWAYS a new secret, shown this once; the former one ends at once."""
    unique = list(dict.fromkeys(gateways))
    try:
        with transaction():
            found = []
            for one in unique:
                try:
                    found.append(rules.get(one))
                except NotFound as error:
                    raise _unknown(one) from error
            made = rules.new_secrets(found, now=clock.now())
            rows = list(zip(unique, made, strict=True))
            if file:
                # before the commit: a secret that nobody has cuts a gateway off for good
                write_secrets(file, rows)
    except FileExistsError as error:
        raise click.ClickException(f"{file} exists; nothing was changed") from error
    cut_off = _cut_off(unique)
    if file:
        click.echo(f"{len(rows)} secrets in {file}{cut_off}")
        return
    click.echo("id,secret")
    for public_id, made_secret in rows:
        click.echo(f"{public_id},{made_secret}")


@secret.command("revoke")
@click.argument("gateway")
def revoke_secret(gateway: str) -> None:
    """End the secret of GATEWAY; it is cut off at once."""
    try:
        with force_locale("en"), transaction():
            rules.revoke_secret(gateway, now=clock.now())
    except NotFound as error:
        raise _unknown(gateway) from error
    except Rejected as refusal:
        raise _refused(refusal) from refusal
    click.echo(f"{gateway}: secret revoked{_cut_off([gateway])}")


@devices.command("host-key")
@click.option("--create", is_flag=True, help="Make one if there is none.")
def host_key(create: bool) -> None:
    """Show the relay's host key: its fingerprint, and the line for known_hosts of gateways."""
    settings: Settings = current_app.extensions["settings"]
    file = settings.relay_host_key_file
    if create and not file.exists():
        create_host_key(file)
    try:
        private = serialization.load_ssh_private_key(file.read_bytes(), None)
    except FileNotFoundError as error:
        raise click.ClickException(f"there is no {file}: make one with --create") from error
    except ValueError as error:
        raise click.ClickException(f"{file} is no private key without passphrase") from error
    line = private.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    shown = rules.fingerprint(rules.digest(rules.read_key(line.decode())))
    click.echo(shown)
    # gateways know all relays by one name (HostKeyAlias), whatever their addresses
    click.echo(f"hidamari-relay {line.decode()}")


def create_host_key(file: Path) -> None:
    """Write a new private key into a file that only its owner can read.

    Raises:
        FileExistsError: There is such a file.
    """
    private = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(private)


def _cut_off(gateways: list[str]) -> str:
    """Tell relays; return what to say of it."""
    if holders.tell_changed(gateways):
        return ""
    settings: Settings = current_app.extensions["settings"]
    return f" (relays could not be told: they find it within {settings.relay_recheck_s} s)"


def _unknown(gateway: str) -> click.ClickException:
    return click.ClickException(f"there is no gateway {gateway}")


def _refused(refusal: Rejected) -> click.ClickException:
    with force_locale("en"):
        return click.ClickException(str(refusal))
