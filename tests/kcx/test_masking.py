"""What a process of KCX writes into its log, through the configuration it really has."""

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY
from tests.processes import SETUP, environment

pytestmark = pytest.mark.django_db

TOKEN = "kcx_" + "0123456789abcdef" * 4
# Each with the part that must not be told; the rest of the line must.
LINES = [
    (
        "GET /file?X-Amz-Algorithm=A&X-Amz-Credential=CRED1&X-Amz-Signature=SIGN1&Expires=9 done",
        "CRED1",
    ),
    ("GET /file?AWSAccessKeyId=AKID2&Signature=SIGN2%3D&Expires=9 done", "SIGN2"),
    ("GET /file?X-Amz-Security-Token=SESSION3 done", "SESSION3"),
    ("headers {'X-Amz-Security-Token': b'SESSION4', 'Host': 's3'} done", "SESSION4"),
    ("x-amz-security-token:SESSION5 done", "SESSION5"),
    (
        "{'Authorization': b'AWS4-HMAC-SHA256 Credential=A, Signature=SIGN6', 'Host': 's3'} done",
        "SIGN6",
    ),
    ("Authorization: Token SECRET7", "SECRET7"),
    (f"the token {TOKEN} was refused, done", TOKEN[4:]),
    ("<SecretAccessKey>KEY9</SecretAccessKey><SessionToken>SESSION9</SessionToken> done", "SESSION9"),
]
LOG = """
import logging, sys
for line in {lines!r}:
    logging.getLogger("botocore.endpoint").warning("%s", line)
try:
    raise ValueError("Authorization: Token SECRETOFATRACEBACK")
except ValueError:
    logging.getLogger("ingestion").exception("It failed")
key = "a\\nERROR ingestion.access forged \\x1b[31m \\u2028 b"
logging.getLogger("ingestion").warning("The key %s is odd", key)
logging.getLogger("ingestion").warning("The signature of file %s: as kcx_owner says", 7)
"""


@pytest.fixture(scope="module")
def written(django_db_setup: None) -> str:
    code = SETUP + LOG.format(lines=[line for line, _ in LINES])
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**environment(), "LOG_LEVEL": "WARNING"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_no_secret_is_written_into_the_log(written: str) -> None:
    for line, secret in LINES:
        assert secret not in written, line
    for other in ("CRED1", "SIGN1", "AKID2", "KEY9", "SECRETOFATRACEBACK"):
        assert other not in written
    assert written.count(" done") == len(LINES) - 1, "what is no secret is told"
    assert written.count("'Host': 's3'") == 2


def test_what_a_key_holds_makes_no_line_of_its_own(written: str) -> None:
    told = r"WARNING ingestion The key a\nERROR ingestion.access forged \x1b[31m \u2028 b is odd"
    assert sum(line.endswith(told) for line in written.splitlines()) == 1
    assert "\x1b" not in written


def test_a_line_without_a_secret_is_written_as_it_is(written: str) -> None:
    assert written.endswith("ingestion The signature of file 7: as kcx_owner says\n")
    assert "Traceback (most recent call last)" in written
