"""What django-q2 and botocore make of KCX's settings: both pass over a name they do not know."""

import pytest
from django_q.conf import Conf

from ingestion.aws_calls import Calls
from ingestion.pipeline.assume_role import access_of, s3_client
from kcx import settings
from tests.builders import ClientUnderTest


def test_the_queue_is_a_doorbell() -> None:
    understood = {
        "orm": Conf.ORM,
        "broker_class": Conf.BROKER_CLASS,
        "queue_limit": Conf.QUEUE_LIMIT,
        "bulk": Conf.BULK,
        "max_attempts": Conf.MAX_ATTEMPTS,
        "ack_failures": Conf.ACK_FAILURES,
        "catch_up": Conf.CATCH_UP,
        "timeout": Conf.TIMEOUT,
        "retry": Conf.RETRY,
    }
    assert understood == {
        "orm": "default",
        "broker_class": "ingestion.oldest_first.OldestFirst",
        "queue_limit": 1,
        "bulk": 1,
        "max_attempts": 1,
        "ack_failures": True,
        "catch_up": False,
        "timeout": 6 * 3600,
        "retry": 24 * 3600,
    }


def test_sessions_are_pinged_and_kept_for_a_minute() -> None:
    for alias in ("default", "progress"):
        kept = settings.DATABASES[alias]
        assert (kept["CONN_MAX_AGE"], kept["CONN_HEALTH_CHECKS"]) == (60, True)


@pytest.mark.django_db(transaction=True, databases=["default", "progress"])
def test_aws_is_asked_with_set_patience(client_under_test: ClientUnderTest) -> None:
    config = s3_client(access_of(client_under_test.connection), Calls("test")).meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 6}
    assert (config.connect_timeout, config.read_timeout) == (5, 60)
    assert (config.tcp_keepalive, config.user_agent_appid) == (True, "kcx")
