"""What every test stands on: an application on SQLite and on PostgreSQL, and a small cast."""

import gc
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from jinja2 import Environment, FileSystemBytecodeCache
from jinja2.bccache import Bucket

from app.blueprints.words import language
from app.config import Settings
from tests.databases import Databases
from tests.wiring import Wiring, ended, wire

# few random examples in `make test`, many in `make test-deep`
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "few")
QUIET = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
hypothesis_settings.register_profile("few", max_examples=25, **QUIET)  # type: ignore[arg-type]
hypothesis_settings.register_profile("many", max_examples=250, **QUIET)  # type: ignore[arg-type]
hypothesis_settings.load_profile(PROFILE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask pages on SQLite alone, where nothing but the database's rules could differ.

    Those rules have tests on both, as do pages marked `both_databases`; `make test-deep` asks
    everything on both.
    """
    for item in items:
        if item.get_closest_marker("drill"):
            # one at a time, and first: each starts a whole portal, and what it waits for would
            # come late where several of them share two cores
            item.add_marker(pytest.mark.xdist_group("drills"))
    if PROFILE != "many":
        leave(config, items, [item for item in items if is_page_on_postgresql(item)])
        if os.environ.get("BEFORE_DEEP"):
            # .ci/run asks these right afterwards, with ten times the examples
            leave(config, items, [item for item in items if grows(item)])
    elif os.environ.get("BEYOND_TEST"):
        # .ci/run has just run `make test`: what would be the same again is left out, and of a
        # page's cases one is asked on PostgreSQL, as the others ask that no other way
        leave(config, items, [item for item in items if not goes_beyond_test(item)])
        leave(config, items, further_cases([item for item in items if not grows(item)]))


def leave(config: pytest.Config, items: list[pytest.Item], left: list[pytest.Item]) -> None:
    """Deselect some of the tests."""
    config.hook.pytest_deselected(items=left)
    gone = set(left)
    items[:] = [item for item in items if item not in gone]


def is_page_on_postgresql(item: pytest.Item) -> bool:
    """Tell whether it is a page asked on PostgreSQL, where nothing but its rules could differ."""
    pages = Path(__file__).parent / "blueprints"
    return (
        pages in item.path.parents
        and item.get_closest_marker("postgresql") is not None
        and not item.get_closest_marker("both_databases")
    )


def further_cases(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return all but the first case of each page that is asked on PostgreSQL."""
    seen: set[str] = set()
    further = []
    for item in filter(is_page_on_postgresql, items):
        page = item.nodeid.partition("[")[0]
        if page in seen:
            further.append(item)
        seen.add(page)
    return further


def goes_beyond_test(item: pytest.Item) -> bool:
    """Tell whether `make test-deep` does more with a test than `make test` has done."""
    is_drill = item.get_closest_marker("drill") is not None
    return is_drill or grows(item) or is_page_on_postgresql(item)


def grows(item: pytest.Item) -> bool:
    """Tell whether `make test-deep` tries more than `make test` within the very same test."""
    is_random = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
    return is_random or item.get_closest_marker("grows") is not None


def pytest_collection_finish() -> None:
    """Let the collector of garbage pass over what was loaded: it took an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Databases]:
    """Provide migrated databases of both kinds; the server is shared by all test processes."""
    with Databases.prepare(tmp_path_factory, worker_id) as prepared:
        yield prepared


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile each template once a test process, not once an application: half the suite's time."""

    class Kept(FileSystemBytecodeCache):
        def get_bucket(
            self, environment: Environment, name: str, filename: str | None, source: str
        ) -> Bucket:
            # what is compiled depends on these as well
            kind = type(environment).__module__
            told = f"{name} {language()} {kind} {environment.autoescape is True}"
            return super().get_bucket(environment, told, filename, source)

    kept = Kept(str(tmp_path_factory.mktemp("templates")))
    Flask.jinja_options = {"bytecode_cache": kept}


@pytest.fixture(scope="session")
def portal_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of this process's portals."""
    return tmp_path_factory.mktemp("portal")


@pytest.fixture(scope="session")
def wiring() -> Wiring:
    """Keep wired applications from test to test."""
    return Wiring()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest, databases: Databases, portal_dir: Path) -> str:
    """Give an empty, migrated database, once of each kind."""
    if request.param == "sqlite":
        return databases.new_sqlite(portal_dir)
    if databases.postgresql_url is None:
        pytest.skip(databases.why_no_postgresql)
    databases.empty_postgresql()
    return databases.postgresql_url


@pytest.fixture
def settings(database_url: str, portal_dir: Path) -> Settings:
    """Give settings for a test: cheap hashes, no .env, a queue server that is not there."""
    return standard_settings(database_url, portal_dir)


@cache
def standard_settings(database_url: str, portal_dir: Path) -> Settings:
    """Make them once: that takes longer than many a test."""
    return test_settings(database_url, portal_dir)


def test_settings(database_url: str, data_dir: Path, **changes: object) -> Settings:
    """Return the settings tests run with; `changes` win."""
    values: dict[str, object] = {
        "testing": True,
        "data_dir": data_dir,
        "database_url": database_url,
        "redis_url": "redis://127.0.0.1:1/0",
        "base_url": "http://localhost",
        "argon2_time_cost": 1,
        "argon2_memory_kib": 8,
        "rate_limit": "100000 per minute",
    }
    return Settings(_env_file=None, **{**values, **changes})  # type: ignore[call-arg]


test_settings.__test__ = False  # type: ignore[attr-defined]


@pytest.fixture
def app(settings: Settings, wiring: Wiring) -> Iterator[Flask]:
    """Give a wired application. No context is left open: tests see what the next request sees."""
    with wiring.kept(settings) as app:
        yield app


@pytest.fixture
def own_app(settings: Settings) -> Iterator[Flask]:
    """Give an application of the test's own, to which it may add views."""
    app = wire(settings).app
    with ended(app):
        yield app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Give a browser without JavaScript."""
    return app.test_client()
