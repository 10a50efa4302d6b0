"""Fixtures for every test: a clean database, a simulated AWS, clients with connections."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import TransactionTestCase

import kcx.urls  # noqa: F401  # the admin's pages, for tests that look at its registry as they are collected
from ingestion.own_account import account_by_identity
from ingestion.pipeline import resume
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, new_client
from tests.emptying import TestDatabase
from tests.faulty_s3 import FaultyAws, server_at, serving
from tests.real_files import REAL_FILES

REPOSITORY = Path(__file__).resolve().parent.parent
LONGEST = (
    "tests/bench/",
    "tests/ingestion/deliveries/test_state_machine.py",
    "tests/kcx/test_loader_at_work.py",
    "tests/api/test_schemathesis.py",
    "tests/browser/",
)
WAITING = (
    "tests/test_crash_sample.py",
    "tests/ingestion/supervisor/test_supervise.py",
    "tests/ingestion/supervisor/test_worker.py",
)
IN_CI = bool(os.environ.get("KCX_CI"))


def pytest_configure() -> None:
    """In CI a test of real files is never skipped: without the files nothing is tested at all."""
    # What is loaded stays. To look at all of it again and again for garbage took a tenth of the tests' time.
    gc.set_threshold(10_000, 10, 50)
    # Each test's client is a new site, which looked for all static files before its first answer.
    settings.WHITENOISE_AUTOREFRESH = True
    # Of the tests' people nobody guesses a password.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if IN_CI and not REAL_FILES.is_dir():
        pytest.exit("../shared/data is missing, and CI must not skip the tests that read it", returncode=1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that none runs alone at the end; tests of real files skipped without them."""
    waiting = [item for start in WAITING for item in items if item.nodeid.startswith(start)]
    others = [item for item in items if not item.nodeid.startswith(WAITING)]
    others.sort(key=lambda item: not item.nodeid.startswith(LONGEST))
    items[:] = spread(waiting, others)
    if REAL_FILES.is_dir():
        return
    for item in items:
        if item.get_closest_marker("real"):
            item.add_marker(pytest.mark.skip(reason="../shared/data is missing"))


def spread(waiting: list[pytest.Item], others: list[pytest.Item]) -> Iterator[pytest.Item]:
    """Those that mostly wait among two thirds of the others: side by side, they leave cores idle."""
    step = max(1, len(others) * 2 // 3 // max(1, len(waiting)))
    for place, item in enumerate(waiting):
        yield item
        yield from others[place * step : (place + 1) * step]
    yield from others[len(waiting) * step :]


@pytest.fixture(scope="session")
def real_files() -> Path:
    """The folder of real billing files."""
    return REAL_FILES


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The test database, in which append-only tables may be emptied: that is how a test ends."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'ingestion_no_truncate'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ingestion_no_truncate")
        # No test asks of this database that it outlives a crash of the machine.
        cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = off')
        migrated = TestDatabase()
    connections.close_all()
    # pytest-django ends each test that commits by this method, and offers no other way to say how.
    TransactionTestCase._fixture_teardown = lambda _: migrated.empty()  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def no_account_remembered() -> None:
    """Each test has an AWS of its own, or none."""
    account_by_identity.cache_clear()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses before another try: KCX's add up to a quarter of a minute, the SDK's to half a minute."""
    monkeypatch.setattr(resume, "PAUSES", (0,) * len(resume.PAUSES))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def raw_database(transactional_db: None) -> Iterator[None]:
    """Both aliases of the database, really committed; partitions and views are dropped afterwards."""
    yield
    connections["progress"].close()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'billing_rawrow'::regclass"
        )
        for (partition,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {partition}")
        cursor.execute("SELECT name FROM ingestion_exportview")
        for (view,) in cursor.fetchall():
            cursor.execute(f'DROP VIEW IF EXISTS "{view}", "{view}_all"')


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedAws]:
    """The simulated AWS, empty, which this process's boto3 finds by its environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with SimulatedAws() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def wire(aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """A wire between KCX and the simulated AWS, which can be broken."""
    with serving(server_at(aws.endpoint_url)) as faulty:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty.url)
        yield faulty


@pytest.fixture
def client_under_test(aws: SimulatedAws, raw_database: None) -> ClientUnderTest:
    """A client with an empty bucket, onboarded and enabled."""
    return new_client(aws)
