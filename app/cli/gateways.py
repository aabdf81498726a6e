"""`flask gateways …`: provisioning."""

from pathlib import Path

import click
from flask.cli import AppGroup
from flask_babel import force_locale

from .. import clock
from ..domain import provisioning, replacements, terms
from ..domain.errors import NotFound, Rejected
from ..printing.sheets import discard, write_sheets
from ..transaction import transaction
from .secret_files import write_secrets

gateways = AppGroup("gateways", help="Bring gateways into the service.")


@gateways.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--sheets",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write one printable sheet per gateway into this folder, instead of listing passwords.",
)
@click.option(
    "--device-secrets",
    "secrets_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Give those that dial in (relay:///…) a device secret each, written into this new file.",
)
@click.option("--language", type=click.Choice(["ja", "en"]), default="ja", show_default=True)
def import_file(file: Path, folder: Path | None, secrets_file: Path | None, language: str) -> None:
    """Import the gateways of FILE, a CSV with the columns id, model, serial, endpoint, profile.

    Each gets a password, which is shown this once: on its sheet, or on the standard output. Either
    all gateways are imported or, when anything is wrong, none.
    """
    now = clock.now()
    written: list[Path] = []
    with force_locale(language):
        try:
            with transaction():
                new = provisioning.read(file.read_bytes())
                wanted = secrets_file is not None
                provisioned = provisioning.provision(new, now=now, device_secrets=wanted)
                # before the commit: without its sheet nobody could ever claim a gateway
                if folder:
                    written += write_sheets(folder, provisioned, now=now, language=language)
                if secrets_file:
                    made = [
                        (one.gateway.public_id, one.device_secret)
                        for one in provisioned
                        if one.device_secret
                    ]
                    write_secrets(secrets_file, made)
                    written.append(secrets_file)
                passwords = [(one.gateway.public_id, one.password) for one in provisioned]
        except provisioning.BadFile as refusal:
            for row in refusal.rows:
                click.echo(f"{file}:{row.line}: {row.reason}", err=True)
            raise click.ClickException(str(refusal)) from refusal
        except Rejected as refusal:
            raise click.ClickException(str(refusal)) from refusal
        except terms.NothingPublished as error:
            raise click.ClickException(
                "no terms for the back: run `flask terms publish`"
            ) from error
        except FileExistsError as error:
            discard(written)
            raise click.ClickException(f"{error.filename} exists; nothing was imported") from error
        except BaseException:
            discard(written)
            raise
    if secrets_file:
        click.echo(f"{len(made)} device secrets in {secrets_file}", err=True)
    if folder:
        click.echo(f"{len(passwords)} gateways imported, sheets in {folder}")
    else:
        click.echo("id,password")
        for public_id, password in passwords:
            click.echo(f"{public_id},{password}")


@gateways.command("replaced")
@click.argument("gateway")
def accept_replacement(gateway: str) -> None:
    """Say that the device of GATEWAY was replaced: the one that answers next is the home's own.

    Until then no settings are written to a device that tells another serial number.
    """
    try:
        with transaction():
            replacements.accept(gateway, clock.now())
    except NotFound as error:
        raise click.ClickException(f"there is no gateway {gateway}") from error
    click.echo(f"{gateway}: the next poll looks which device is there")
