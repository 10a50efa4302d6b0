"""A running simulated AWS, two clients of it, KCX's own STS client, and S3 clients of assumed roles."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from kcx.simulated_aws.accounts import ClientAccount, create_client_account
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.server import SimulatedAws


@pytest.fixture
def aws() -> Iterator[SimulatedAws]:
    with SimulatedAws() as running:
        yield running


@pytest.fixture
def acme(aws: SimulatedAws) -> ClientAccount:
    return create_client_account(aws, "111122223333", "acme-billing", "cost/", "id-of-acme")


@pytest.fixture
def beta(aws: SimulatedAws) -> ClientAccount:
    return create_client_account(aws, "444455556666", "beta-billing", "", "id-of-beta")


@pytest.fixture
def billing(acme: ClientAccount) -> BillingService:
    return BillingService(acme)


@pytest.fixture
def kcx_client(aws: SimulatedAws) -> Callable[[str], Any]:
    environment = aws.environment()

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_DEFAULT_REGION"],
        )

    return client


@pytest.fixture
def sts(kcx_client: Callable[[str], Any]) -> Any:
    return kcx_client("sts")


@pytest.fixture
def s3_as(aws: SimulatedAws, sts: Any) -> Callable[..., Any]:
    """An S3 client of a client's role: `s3_as(account, external_id, **more_for_assume_role)`."""

    def assume(account: ClientAccount, external_id: str, **more: Any) -> Any:
        answer = sts.assume_role(
            RoleArn=account.role_arn, RoleSessionName="kcx-test", ExternalId=external_id, **more
        )
        credentials = answer["Credentials"]
        return boto3.client(
            "s3",
            endpoint_url=aws.endpoint_url,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=account.region,
        )

    return assume
