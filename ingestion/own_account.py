"""KCX's own AWS account, which clients trust: asked for once in a process, and briefly: pages wait for it."""

from functools import cache

from botocore.config import Config
from django.conf import settings

from ingestion.access_errors import AccountUnknown
from ingestion.aws_session import boto3_session
from ingestion.deadline import ask
from ingestion.errors import IngestionError, TooSlow
from ingestion.pipeline.assume_role import CONFIG

SECONDS = 5.0
# So the thread of a question that is given up ends soon after it.
BRIEF: Config = CONFIG.merge(
    Config(connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2})
)
DOING = "Finding KCX's own AWS account"


def kcx_account_id(region: str) -> str:
    """The account clients trust: KCX_AWS_ACCOUNT_ID, else its own identity's. Raises AccountUnknown.

    Answers within SECONDS. What AWS answered is remembered for as long as the process lives; an error is not.
    """
    if settings.KCX_AWS_ACCOUNT_ID:
        return str(settings.KCX_AWS_ACCOUNT_ID)
    try:
        return account_by_identity(region)
    except TooSlow as error:
        raise AccountUnknown(f"{DOING}: STS did not answer within {SECONDS:g} s.") from error
    except IngestionError as error:
        raise AccountUnknown(str(error)) from error


@cache
def account_by_identity(region: str) -> str:
    """The account of KCX's own identity, as STS in this region says. Raises IngestionError."""
    answer = ask(
        DOING,
        lambda: boto3_session().client("sts", region_name=region, config=BRIEF).get_caller_identity(),
        SECONDS,
    )
    return str(answer["Account"])
