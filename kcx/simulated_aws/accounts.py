"""A client's AWS account: its bucket, the role KCX reads it with, and what its owner does to both."""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from awscrt import checksums
from moto.core.utils import utcnow
from moto.iam.exceptions import NotFoundException
from moto.iam.models import IAMBackend, iam_backends
from moto.s3.models import FakeKey, S3Backend, s3_backends
from moto.sts.models import sts_backends
from moto.utilities.utils import get_partition

from kcx.simulated_aws.policies import read_policy, trust_policy
from kcx.simulated_aws.restores import UNDER_WAY
from kcx.simulated_aws.server import SimulatedAws


@dataclass(frozen=True)
class ClientAccount:
    """One account of the running simulated AWS, with one bucket; its methods act as the account's owner.

    They work on moto's memory in this process, not over HTTP, so no permission stands in their way.
    """

    account_id: str
    bucket: str
    prefix: str = ""
    role_name: str = "kcx-read"
    region: str = "eu-central-1"

    @property
    def partition(self) -> str:
        return get_partition(self.region)

    @property
    def role_arn(self) -> str:
        return f"arn:{self.partition}:iam::{self.account_id}:role/{self.role_name}"

    def create_bucket(self) -> None:
        self._s3.create_bucket(self.bucket, self.region)

    def put_role(
        self, trust: Mapping[str, Any], permissions: Mapping[str, Any], *, policy_name: str = "kcx-read"
    ) -> str:
        """Create the role or replace both its policies; returns its ARN."""
        try:
            self._iam.update_assume_role_policy(self.role_name, json.dumps(trust))
        except NotFoundException:
            self._iam.create_role(self.role_name, json.dumps(trust), "/", None, "", [], None)
        self._iam.put_role_policy(self.role_name, policy_name, json.dumps(permissions))
        return self.role_arn

    def set_trust(self, trust: Mapping[str, Any]) -> None:
        """Replace the role's trust policy; its permissions stay."""
        self._iam.update_assume_role_policy(self.role_name, json.dumps(trust))

    def delete_role(self) -> None:
        """Revoke KCX's access: the role is gone, and with it what its sessions may do."""
        for name in self._iam.list_role_policies(self.role_name):
            self._iam.delete_role_policy(self.role_name, name)
        self._iam.delete_role(self.role_name)

    def expire_sessions(self) -> None:
        """End every session of the role now, as if its hour were over."""
        for session in sts_backends[self.account_id][self.partition].assumed_roles:
            if session.role_arn == self.role_arn:
                session.expiration = utcnow()

    def set_bucket_policy(self, document: Mapping[str, Any]) -> None:
        """Give the bucket a policy of its own; only what it denies to everyone is simulated."""
        # Kept from moto, which would answer a denial without a word of why.
        vars(self._s3.get_bucket(self.bucket))["denials"] = dict(document)

    def set_requester_pays(self) -> None:
        """Let those who read the bucket pay for it: S3 then refuses whoever does not say that they do."""
        vars(self._s3.get_bucket(self.bucket))["requester_pays"] = True

    def put_object(
        self,
        key: str,
        body: bytes,
        *,
        storage_class: str | None = None,
        etag: str | None = None,
        kms_key_arn: str | None = None,
        at: datetime | None = None,
    ) -> str:
        """Write an object, with the CRC64NVME that S3 keeps of every object; returns the quoted ETag.

        `etag` (unquoted) stands in for the MD5, as a multipart upload's does; who reads what `kms_key_arn`
        encrypts needs kms:Decrypt on it. `at` becomes its LastModified, which S3 and moto both show in whole
        seconds.
        """
        stored = self._s3.put_object(
            self.bucket,
            key,
            body,
            storage=storage_class,
            etag=etag or hashlib.md5(body, usedforsecurity=False).hexdigest(),
            encryption="aws:kms" if kms_key_arn else None,
            kms_key_id=kms_key_arn,
            checksum_value=base64.b64encode(checksums.crc64nvme(body).to_bytes(8)).decode(),
        )
        stored.checksum_algorithm = "CRC64NVME"
        stored.checksum_type = "FULL_OBJECT"
        if at is not None:
            self.set_last_modified(key, at)
        return stored.etag

    def delete_object(self, key: str) -> None:
        self._s3.delete_object(self.bucket, key)

    def list_keys(self) -> list[str]:
        """Every key of the bucket, in S3's order."""
        return sorted(self._s3.get_bucket(self.bucket).keys, key=str.encode)

    def read_object(self, key: str) -> bytes:
        """Its bytes. Raises KeyError if there is no such object."""
        return self._object(key).value

    def etag(self, key: str) -> str:
        """Its quoted ETag. Raises KeyError if there is no such object."""
        return self._object(key).etag

    def last_modified(self, key: str) -> datetime:
        """Its LastModified in UTC. Raises KeyError if there is no such object."""
        return self._object(key).last_modified.replace(tzinfo=UTC)

    def set_last_modified(self, key: str, when: datetime) -> None:
        """Date an object, so that two deliveries within a second can be told apart without a pause."""
        self._object(key).last_modified = when.astimezone(UTC).replace(tzinfo=None)

    def set_storage_class(self, key: str, storage_class: str) -> None:
        """Move an object to another class, as a lifecycle rule does: its ETag stays."""
        self._object(key).set_storage_class(storage_class)

    def restore(self, key: str, *, done: bool = True) -> None:
        """Ask S3 for a copy of an archived object that can be read for a day, there or still being made."""
        stored = self._object(key)
        vars(stored)[UNDER_WAY] = not done
        if done:
            stored.restore(1)

    def end_restore(self, key: str) -> None:
        """The day is over: the copy is gone."""
        self._object(key).set_expiry(None)

    def _object(self, key: str) -> FakeKey:
        stored: FakeKey = self._s3.get_bucket(self.bucket).keys[key]
        return stored

    @property
    def _s3(self) -> S3Backend:
        return s3_backends[self.account_id][self.partition]

    @property
    def _iam(self) -> IAMBackend:
        return iam_backends[self.account_id][self.partition]


def create_client_account(
    aws: SimulatedAws,
    account_id: str,
    bucket: str,
    prefix: str,
    external_id: str,
    *,
    role_name: str = "kcx-read",
    region: str = "eu-central-1",
) -> ClientAccount:
    """An account with its bucket and the role KCX asks for: its account as principal, its external id."""
    account = ClientAccount(account_id, bucket, prefix, role_name, region)
    root = f"arn:{account.partition}:iam::{aws.kcx_account_id}:root"
    account.create_bucket()
    account.put_role(
        trust_policy(root, external_id), read_policy(bucket, prefix, partition=account.partition)
    )
    return account
