"""The server's start, its stop without remains, and the identity it hands out."""

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.responses import BaseResponse
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import iam_backends
from moto.s3 import models as s3_models
from moto.sts.responses import TokenResponse

from kcx.simulated_aws.accounts import create_client_account
from kcx.simulated_aws.server import SimulatedAws


def test_the_environment_holds_the_endpoint_and_kcxs_identity_and_nothing_else(aws):
    assert set(aws.environment()) == {
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    }
    assert aws.endpoint_url.startswith("http://127.0.0.1:")


def test_a_wrong_secret_and_an_unknown_key_are_refused(aws):
    def identity(key, secret):
        sts = boto3.client(
            "sts",
            endpoint_url=aws.endpoint_url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            region_name="eu-central-1",
        )
        return sts.get_caller_identity()["Arn"]

    environment = aws.environment()
    key, secret = environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
    assert identity(key, secret) == f"arn:aws:iam::{aws.kcx_account_id}:user/kcx"
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        identity(key, "wrong")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        identity("AKIAUNKNOWN000000000", secret)


def test_stopping_leaves_no_thread_and_no_socket_even_with_a_connection_open():
    threads = set(threading.enumerate())
    aws = SimulatedAws().start()
    address = urlsplit(aws.endpoint_url)
    with socket.create_connection((address.hostname, address.port)) as idle:
        idle.sendall(b"GET /moto-api/ HTTP/1.1\r\nHost: x\r\n")  # a request that never ends
        deadline = time.monotonic() + 10
        while threading.active_count() < len(threads) + 2 and time.monotonic() < deadline:
            time.sleep(0.001)  # until the server and this connection have a thread each
        assert threading.active_count() == len(threads) + 2
        aws.stop()
        assert set(threading.enumerate()) == threads
        with contextlib.suppress(ConnectionResetError):
            assert idle.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port))


def test_stopping_puts_moto_back_as_it_was_and_forgets_every_account():
    def patched():
        return [
            vars(TokenResponse)["assume_role"],
            vars(IAMRequestBase)["check_action_permitted"],
            vars(BaseResponse).get("_authenticate_and_authorize_s3_action"),
            vars(s3_models)["s3_allow_crossdomain_access"],
            ActionAuthenticatorMixin.request_count,
        ]

    before = patched()
    with SimulatedAws() as aws:
        create_client_account(aws, "111122223333", "acme-billing", "", "id")
        during = patched()
    assert patched() == before
    assert all(new != old for new, old in zip(during[:-1], before[:-1], strict=True))
    assert iam_backends["111122223333"]["aws"].roles == {}


def test_only_one_runs_at_a_time_and_a_stopped_one_can_start_again():
    aws = SimulatedAws()
    with aws, pytest.raises(RuntimeError, match="already runs"):
        SimulatedAws().start()
    aws.stop()
    with aws:
        assert aws.endpoint_url


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_running():
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(OSError, match="in use"):
        SimulatedAws(port=other.getsockname()[1]).start()
    with SimulatedAws() as aws:
        assert aws.endpoint_url


def test_no_line_is_logged_per_request(sts, capfd, caplog):
    caplog.set_level("INFO", logger="werkzeug")
    sts.get_caller_identity()
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name == "werkzeug"] == []


def test_without_enforcement_any_key_may_read_within_its_account():
    with SimulatedAws(enforce_iam=False) as aws:
        account = create_client_account(aws, "123456789012", "default-account", "", "id")
        account.put_object("a", b"1")
        s3 = boto3.client(
            "s3",
            endpoint_url=aws.endpoint_url,
            aws_access_key_id="any",
            aws_secret_access_key="any",
            region_name="eu-central-1",
        )
        assert s3.get_object(Bucket="default-account", Key="a")["Body"].read() == b"1"
