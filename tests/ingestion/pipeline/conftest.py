"""What tests of broken connections share."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from ingestion.pipeline import resume
from kcx.simulated_aws.server import SimulatedAws
from tests.faulty_s3 import FaultyAws, server_at, serving


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses before another try: KCX's add up to a quarter of a minute, the SDK's to half a minute."""
    monkeypatch.setattr(resume, "PAUSES", (0,) * len(resume.PAUSES))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))


@pytest.fixture
def wire(aws: SimulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """A wire between KCX and the simulated AWS, which can be broken."""
    with serving(server_at(aws.endpoint_url)) as faulty:
        monkeypatch.setenv("AWS_ENDPOINT_URL", faulty.url)
        yield faulty
