"""What tests of broken connections share."""

from types import SimpleNamespace

import pytest

from ingestion.pipeline import resume


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses before another try: KCX's add up to a quarter of a minute, the SDK's to half a minute."""
    monkeypatch.setattr(resume, "PAUSES", (0,) * len(resume.PAUSES))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _seconds: None))
