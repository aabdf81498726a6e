"""Welcome whoever started the demo once everything answers; then keep three samples at hand."""

import json
import os
import socket
import time
from contextlib import suppress
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from app import clock, create_app

from . import homes, lived, seed
from .folder import Folder

LOOK_EVERY_S = 5
PATIENCE_S = 60


def main(folder: Folder) -> None:
    """Wait, welcome, and look after the samples until told to stop."""
    parent = os.getppid()
    url = os.environ["BASE_URL"]
    all_homes = homes.read(folder, int(os.environ["SIMULATOR_PORT"]))
    began, told = time.monotonic(), False
    while (lacking := what_is_lacking()) and os.getppid() == parent:
        if not told and time.monotonic() - began > PATIENCE_S:
            told = True
            print(f"Still waiting for: {', '.join(lacking)}", flush=True)
        time.sleep(0.2)
    app = create_app(commands=False)
    with app.app_context():
        seed.top_up(folder, all_homes, clock.now())
        # before polls find that a device says nothing of what it has
        lived.go_on(folder, seed.CUSTOMER_MAIL, clock.now())
        seed.ask_at_once(clock.now())
        text = welcome(folder, url)
    (folder.path / "welcome.txt").write_text(text, "utf-8")
    print(text, flush=True)
    while os.getppid() == parent:
        time.sleep(LOOK_EVERY_S)
        with app.app_context():
            lived.go_on(folder, seed.CUSTOMER_MAIL, clock.now())
            for sample in seed.top_up(folder, all_homes, clock.now()):
                print(f"A sample was registered. The next one:\n{line(sample, url)}", flush=True)


def what_is_lacking() -> list[str]:
    """Return what does not answer: a part of the portal, the mail server, the homes."""
    lacking = not_ready(f"http://{portal()}:{os.environ['PORT']}/healthz/ready")
    lacking += silent("inbox", "MAIL_PORT")
    return lacking + silent("simulator", "SIMULATOR_PORT")


def portal() -> str:
    """Return the address at which the portal listens, as this machine reaches it."""
    host = os.environ["HOST"]
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104


def not_ready(url: str) -> list[str]:
    """Return the parts of the portal that are not at work."""
    try:
        with urlopen(url, timeout=5) as answer:  # noqa: S310
            parts = json.load(answer)
    except HTTPError as answer:
        try:
            parts = json.load(answer)
        except ValueError:
            return [f"web ({answer.code})"]
    except (URLError, OSError):
        return ["web"]
    return [name for name, state in parts.items() if name != "status" and state != "ok"]


def silent(name: str, port: str) -> list[str]:
    """Return the name of a server of ours if nobody listens."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", int(os.environ[port])), 2):
        return []
    return [name]


def welcome(folder: Folder, url: str) -> str:
    """Return the block that says where everything is."""
    rule = "─" * 78
    customer = folder.read("sign-ins", [{}])[0]
    people = "\n".join(map(person, folder.read("staff", [])))
    samples = "\n".join(line(sample, url) for sample in seed.unclaimed(folder)[: seed.SAMPLES])
    return f"""
{rule}
  The portal is ready.

  Portal            {url}/
  Received mail     {url}/dev/mail
  Demo customer     {customer["id"]}   password {customer["password"]}
                    live screen: {url}/monitor
{people}
  Their codes       {url}/dev/sign-ins

  Gateways that nobody has registered yet, with their printable sheets:
{samples}

  Everything is kept in {folder.data_dir}
  Ctrl-C stops all of it.
{rule}
"""


def person(sign_in: dict[str, str]) -> str:
    """Return the lines about a dealer's person or an operator."""
    return (
        f"  Demo {sign_in['who']:<12} {sign_in['id']}   password {sign_in['password']}\n"
        f"                    authenticator key: {sign_in['secret']}"
    )


def line(sample: seed.Sample, url: str) -> str:
    """Return one line about a sample."""
    return (
        f"    ID {sample['id']}   password {sample['password']}\n"
        f"      {url}/dev/sheets/{sample['id']}"
    )
