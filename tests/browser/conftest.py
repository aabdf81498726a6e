"""Journeys in a real browser against the whole running demo: web, workers, cron, mail, homes."""

import email
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from app import clock
from app.domain import provisioning
from app.transaction import transaction
from demo.homes import as_row
from tests.conftest import test_settings
from tests.ports import free_port
from tests.sharing import locked, shared_folder
from tests.wiring import ended, wire

ROOT = Path(__file__).parents[2]
# the headless shell first: the same engine without windows takes half the CPU time
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
SIZES = {"phone": {"width": 390, "height": 844}, "pc": {"width": 1280, "height": 900}}
AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"
# what tells pages apart that the rules may judge differently: all but addresses, values, and what
# is for htmx alone, such as the token against forgery, which is another one on every page
SKELETON = """() => {
    const varies = ["href", "action", "value", "content", "datetime", "nonce"];
    return [innerWidth, ...[...document.querySelectorAll("*")].map(one => [
        one.tagName,
        ...[...one.attributes]
            .filter(({name}) => !varies.includes(name) && !name.startsWith("hx-"))
            .map(({name, value}) => `${name}=${value}`),
        one.childElementCount || one.textContent ? "" : "empty",
    ])].join();
}"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
READY_S = 60
TILE_REFRESH_S = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a browser test."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass
class Demo:
    """The running demo: where it answers and where its mails and samples lie."""

    url: str
    data_dir: Path

    def take_sample(self, dialect: str = "") -> dict[str, str]:
        """Import a home that no other journey takes; return its gateway's ID and password.

        The demo's own three samples would not do: a journey may take one and never register it.
        With `dialect`, its device is of that kind.
        """
        homes = json.loads((self.data_dir / "demo" / "homes.json").read_text())["households"]
        # the demo takes its samples from the front
        for home in reversed(homes):
            if dialect not in ("", home["dialect"]):
                continue
            with suppress(FileExistsError):
                (self.data_dir / f"taken-{home['id']}").touch(exist_ok=False)
                with self.inside():
                    [sample] = provisioning.provision([as_row(home)], now=clock.now())
                    found = {"id": sample.gateway.public_id, "password": sample.password}
                return found
        raise AssertionError("the demo has no home left")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Stand in a transaction of the demo's database, to make who a journey needs."""
        key = json.loads((self.data_dir / "demo" / "secret_key.json").read_text())
        database = f"sqlite:///{self.data_dir / 'portal.db'}"
        app = wire(test_settings(database, self.data_dir, secret_key=key)).app
        with ended(app), app.app_context(), transaction():
            yield

    def simulator(self, *command: str) -> None:
        """Give the simulated homes a command, such as "offline", ID."""
        ports = json.loads((self.data_dir / "demo" / "ports.json").read_text())
        subprocess.run(
            [
                *(sys.executable, "-m", "simulator", "ctl"),
                *("--control-port", str(ports["simulator-control"]), *command),
            ],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )

    def mails_to(self, address: str) -> list[EmailMessage]:
        """Return the delivered mails to an address, oldest first."""
        mails = map(read_mail, sorted((self.data_dir / "mail").glob("*.eml")))
        return [message for to, message in mails if address in to]

    def wait_for_mail(self, address: str, subject: str, *, within_s: float = 20) -> EmailMessage:
        """Wait until a mail with `subject` in its subject has been delivered to `address`."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            for message in self.mails_to(address):
                if subject in str(message["Subject"]):
                    return message
            time.sleep(0.1)
        raise AssertionError(f"no mail {subject!r} to {address} within {within_s} s")


@cache
def read_mail(path: Path) -> tuple[str, EmailMessage]:
    """Return whom a delivered mail is to, and the mail; journeys look for theirs many times."""
    message = email.message_from_bytes(path.read_bytes(), policy=default)
    return str(message["To"]), message


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Demo]:
    """Start the demo as `make run` does; all test processes of a run visit the same one."""
    data_dir = shared_folder(tmp_path_factory, worker_id) / "demo-visited"
    data_dir.mkdir(exist_ok=True)
    visitor = data_dir / f"visitor-{worker_id}"
    with locked(data_dir):
        running = data_dir / "running.json"
        if not running.exists():
            running.write_text(json.dumps(start_demo(data_dir)))
        visitor.touch()
    told = json.loads(running.read_text())
    try:
        wait_until_ready(told["url"], told["pid"], data_dir / "run.log")
        yield Demo(told["url"], data_dir)
    finally:
        with locked(data_dir):
            visitor.unlink()
            if not list(data_dir.glob("visitor-*")):
                running.unlink()
                end_demo(told["pid"])


def start_demo(data_dir: Path) -> dict[str, Any]:
    """Start the demo in a folder; return where it will answer, and which process it is."""
    port = free_port()
    with (data_dir / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=ROOT,
            # homes and tiles are asked more often than a household needs: journeys wait for that
            env={
                **os.environ,
                "PORT": str(port),
                "DATA_DIR": str(data_dir),
                "TILE_REFRESH_S": str(TILE_REFRESH_S),
                "POLL_WATCHED_S": "1",
                # what hashes cost is for guessers: a journey would wait for it at each step
                "ARGON2_TIME_COST": "1",
                "ARGON2_MEMORY_KIB": "8",
                "WEB_CONCURRENCY": "1",
                # a journey waits for an alarm, not for a quarter of an hour after the start
                "ALARM_QUIET_S": "0",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return {"url": f"http://localhost:{port}", "pid": process.pid}


def end_demo(pid: int) -> None:
    """Stop the demo, whichever test process started it."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 20
    while time.monotonic() < end and is_alive(pid):
        time.sleep(0.1)
    if is_alive(pid):
        os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended may wait for who started it to take note."""
    with suppress(OSError):
        state = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path("/proc/self/stat").exists()


def wait_until_ready(url: str, pid: int, log: Path) -> None:
    """Wait until every part of the demo answers."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        if not is_alive(pid):
            raise AssertionError(f"the demo ended:\n{log.read_text()[-3000:]}")
        try:
            with urlopen(f"{url}/healthz/ready", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            pass
        time.sleep(0.2)
    raise AssertionError(f"the demo was not ready in {READY_S} s:\n{log.read_text()[-3000:]}")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start the system's Chromium.

    It ends with the last journey: Playwright keeps an event loop running, and asyncio refuses a
    second one to whatever test comes next in this process.
    """
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium on this machine")
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        browser.close()


def broken_rules(page: Page) -> list[str]:
    """Return which rules of accessibility a page breaks, and where.

    Only what is broken comes back from the browser: to describe all that is well takes three times
    as long as to look at it.
    """
    page.evaluate(AXE.read_text())
    found: list[str] = page.evaluate(
        """rules => axe
            .run(document, {runOnly: rules, resultTypes: ["violations"], preload: false})
            .then(({violations}) => violations.flatMap(rule => rule.nodes.map(
                node => `${rule.id}: ${rule.help} — ${node.html.slice(0, 160)}`)))""",
        RULES,
    )
    return found


@dataclass
class Visitor:
    """Somebody at a screen: opens pages and remembers what the browser complained about."""

    page: Page
    demo: Demo
    complaints: list[str] = field(default_factory=list)
    # a 4xx or 5xx that a test provokes makes Chromium write a line of its own
    provoked: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Open a page of the portal."""
        self.page.goto(self.demo.url + path if path.startswith("/") else path)

    def check_page(self) -> None:
        """Assert that the page breaks no rule of accessibility and never scrolls sideways."""
        for left in (2, 1, 0):
            self.page.wait_for_load_state()
            try:
                self.look()
            except PlaywrightError:
                # the page went on to the next while it was looked at
                if not left:
                    raise
            else:
                return

    def look(self) -> None:
        """Look at the page as it stands."""
        # what animates in is measured once it stands
        self.page.evaluate(
            "() => Promise.all(document.getAnimations()"
            ".filter(one => one.effect.getTiming().iterations !== Infinity)"
            ".map(one => one.finished))"
        )
        mark = self.mark()
        if not mark.exists():
            told = broken_rules(self.page)
            assert told == [], f"{self.page.url}\n" + "\n".join(told)
            mark.touch()
        wide = self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not wide, f"{self.page.url} scrolls sideways"

    def mark(self) -> Path:
        """Return the file that says that a journey of this run found a page just like this sound.

        Like it in all that the rules see: the same elements with the same attributes but for
        addresses and values, on a screen of the same width. To look at one takes a second.
        """
        skeleton: str = self.page.evaluate(SKELETON)
        return self.demo.data_dir / f"sound-{sha256(skeleton.encode()).hexdigest()}"

    def assert_quiet(self) -> None:
        """Assert that the browser wrote no error and no CSP report."""
        unforeseen = [
            line
            for line in self.complaints
            if not any(expected in line for expected in self.provoked)
        ]
        assert unforeseen == []


OpenVisitor = Callable[..., Visitor]


@pytest.fixture(params=list(SIZES))
def size(request: pytest.FixtureRequest) -> str:
    """Give both screen sizes in turn."""
    return str(request.param)


@pytest.fixture
def visit(browser: Browser, demo: Demo, size: str) -> Iterator[OpenVisitor]:
    """Give a function that seats a visitor at a screen of this size."""
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def seat(*, javascript: bool = True, locale: str = "ja-JP") -> Visitor:
        context = browser.new_context(
            viewport=SIZES[size],  # type: ignore[arg-type]
            locale=locale,
            java_script_enabled=javascript,
            reduced_motion="reduce",
        )
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        visitor = Visitor(page, demo)
        if javascript:
            page.add_init_script(
                "document.addEventListener('securitypolicyviolation', e =>"
                " console.error('CSP', e.violatedDirective, e.blockedURI))"
            )

        def listen(message: ConsoleMessage) -> None:
            if message.type == "error":
                visitor.complaints.append(f"{message.text} {json.dumps(message.location)}")

        page.on("console", listen)
        page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
        visitors.append(visitor)
        return visitor

    yield seat
    for context in contexts:
        context.close()
    for visitor in visitors:
        visitor.assert_quiet()
