"""What is done again and again."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from rq import Queue
from rq.cron import CronScheduler

from app.config import Settings
from app.extensions import JobQueues
from app.queue_names import QUEUES
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scheduler(valkey: Valkey) -> CronScheduler:
    """Give a scheduler as `rq cron app.jobs.cron` makes it."""
    queues = JobQueues()
    queues.init(valkey.url)
    assert queues.redis
    scheduler = CronScheduler(queues.redis, logging_level="WARNING")
    scheduler.load_config_from_file("app.jobs.cron")
    return scheduler


def test_everything_periodic_is_asked_for_at_the_start(scheduler: CronScheduler) -> None:
    names = {job.name for job in scheduler.enqueue_jobs()}
    assert names == {
        "claim_due",
        "send_due",
        "run_due",
        "watch",
        "make_due",
        "claim_plans",
        "place_plans",
        "read_reports",
        "work_due",
        "lapse_due",
        "advance_due",
        "clear_expired",
        "recount_late",
        "settle_memberships",
        "clear_measurements",
        "credit_due",
        *(f"beat:{queue}" for queue in QUEUES),
    }


def test_what_is_asked_for_is_there(scheduler: CronScheduler) -> None:
    for job in scheduler.enqueue_jobs():
        module, _, name = job.func_name.rpartition(".")
        assert callable(getattr(import_module(module), name)), job.func_name


def test_every_queue_gets_its_own_sign_of_life(scheduler: CronScheduler) -> None:
    scheduler.enqueue_jobs()
    for name in QUEUES:
        jobs = Queue(name, connection=scheduler.connection).jobs
        assert [job.args for job in jobs if job.func_name == "app.jobs.beat.beat"] == [(name,)]


def test_no_poll_waits_behind_a_device_whose_settings_are_read(scheduler: CronScheduler) -> None:
    scheduler.enqueue_jobs()
    with_settings = {
        name
        for name in QUEUES
        for job in Queue(name, connection=scheduler.connection).jobs
        if job.func_name == "app.jobs.settings.work_due"
    }
    assert with_settings == {"settings"}


def test_what_waits_too_long_expires_and_what_succeeded_leaves_nothing(
    scheduler: CronScheduler,
) -> None:
    for job in scheduler.get_jobs():
        assert job.interval is not None
        assert job.job_options["ttl"] <= max(3 * job.interval, 10)
        assert job.job_options["result_ttl"] == 0
        assert job.job_options["failure_ttl"] == 3600


def test_watched_gateways_are_claimed_within_ten_seconds(scheduler: CronScheduler) -> None:
    claim = next(job for job in scheduler.get_jobs() if job.name == "claim_due")
    watched_s = Settings.model_fields["poll_watched_s"].default
    assert claim.interval is not None
    assert claim.interval + watched_s <= 10


def loaded_by(modules: str) -> set[str]:
    told = f"import sys, {modules}; print(*sys.modules)"
    return set(
        subprocess.run(
            [sys.executable, "-c", told], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout.split()
    )


def test_neither_workers_nor_web_load_what_plans() -> None:
    # numpy, SciPy and pvlib take seconds: the portal must start within ten
    loaded = loaded_by("app.wiring, app.jobs.plans, app.jobs.worker")
    assert "app.jobs.plans" in loaded
    assert not {"numpy", "scipy", "pandas", "pvlib", "app.planning"} & loaded


@pytest.mark.parametrize("part", ["app.jobs.cron", "simulator.__main__", "demo.mail_sink"])
def test_who_needs_no_portal_loads_none(part: str) -> None:
    assert not {"flask", "sqlalchemy", "app.models"} & loaded_by(part)
