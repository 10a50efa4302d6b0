"""AWS's delivery service: an export's files into a client's bucket, data first and the manifest last."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from kcx.simulated_aws.accounts import ClientAccount
from kcx.simulated_aws.exports import ExportSpec, Mode
from kcx.simulated_aws.manifests import data_exports_manifest, legacy_manifest
from kcx.simulated_aws.tables.encode import emptied, snappy_parquet
from kcx.simulated_aws.tables.usage import PAYER_ID


@dataclass(frozen=True)
class PendingDelivery:
    """Data files that no manifest names yet."""

    export: ExportSpec
    period: date
    snapshot_id: str
    started_at: datetime
    data_keys: tuple[str, ...]
    etags: Mapping[str, str]
    first_part: bytes


@dataclass(frozen=True)
class DeliveredSnapshot:
    """One finished delivery: `etags` (quoted) by key, `delivered_at` the manifest's LastModified.

    `manifest_keys[-1]` is the one that points to the current delivery.
    """

    snapshot_id: str
    data_keys: tuple[str, ...]
    manifest_keys: tuple[str, ...]
    etags: Mapping[str, str]
    delivered_at: datetime


class BillingService:
    """Delivers exports to one client's bucket; the n-th delivery of a seed always has the same id.

    `at` dates what is written (LastModified, and the names that hold a time). Without it every write is
    dated now, but at least a second after the one before: S3 tells times to the second, so two
    deliveries in a row are told apart without a pause.
    """

    def __init__(self, account: ClientAccount, *, payer_account_id: str = PAYER_ID, seed: int = 0) -> None:
        self._account = account
        self._payer_account_id = payer_account_id
        self._seed = seed
        self._deliveries = 0
        self._last_write = datetime.min.replace(tzinfo=UTC)

    def deliver(
        self, export: ExportSpec, period: date, parts: Sequence[bytes], *, at: datetime | None = None
    ) -> DeliveredSnapshot:
        """A whole delivery: the data ten seconds before `at`, the manifest at `at`."""
        began = None if at is None else at - timedelta(seconds=10)
        return self.write_manifest(self.write_data(export, period, parts, at=began), at=at)

    def write_data(
        self, export: ExportSpec, period: date, parts: Sequence[bytes], *, at: datetime | None = None
    ) -> PendingDelivery:
        """The first half of a delivery: the files of at least one part, and no manifest.

        Data Exports that shrink empty the parts that are now too many; a legacy CUR leaves them as they
        were. Raises ValueError without a part: a manifest takes its columns from the first.
        """
        if not parts:
            raise ValueError("A delivery has at least one part; one without rows is a part too.")
        started = self._moment(at)
        self._deliveries += 1
        name = f"{self._account.account_id} {self._seed} {self._deliveries}"
        snapshot = export.snapshot_id(str(uuid.uuid5(uuid.NAMESPACE_OID, name)), started)
        keys = tuple(
            export.data_key(period, number, snapshot, started) for number in range(1, len(parts) + 1)
        )
        self._set_status(export, "UPDATING", started)
        etags = {
            key: self._account.put_object(key, part, at=started)
            for key, part in zip(keys, parts, strict=True)
        }
        self._empty_surplus(export, period, len(parts), started)
        return PendingDelivery(export, period, snapshot, started, keys, etags, parts[0])

    def write_manifest(self, pending: PendingDelivery, *, at: datetime | None = None) -> DeliveredSnapshot:
        """The second half: helper files, then the manifests, the current one last."""
        export, moment = pending.export, self._moment(at)
        manifest = self._manifest(pending)
        keys = export.manifest_keys(pending.period, pending.snapshot_id, pending.started_at)
        for helper in export.helper_keys(pending.period):
            self._account.put_object(helper, b"-- set-up for Athena\n", at=moment)
        etags = {key: self._account.put_object(key, manifest, at=moment) for key in keys}
        self._set_status(export, "READY", moment)
        return DeliveredSnapshot(
            pending.snapshot_id, pending.data_keys, keys, {**pending.etags, **etags}, moment
        )

    def _moment(self, at: datetime | None) -> datetime:
        now = datetime.now(UTC).replace(microsecond=0)
        moment = at.astimezone(UTC) if at else max(now, self._last_write + timedelta(seconds=1))
        self._last_write = max(moment, self._last_write)
        return moment

    def _manifest(self, pending: PendingDelivery) -> bytes:
        where = {"account": self._payer_account_id, "bucket": self._account.bucket}
        export, keys, part = pending.export, pending.data_keys, pending.first_part
        if export.is_legacy:
            return legacy_manifest(export, pending.period, pending.snapshot_id, keys, part, **where)
        return data_exports_manifest(export, pending.snapshot_id, keys, part, **where)

    def _empty_surplus(self, export: ExportSpec, period: date, parts: int, at: datetime) -> None:
        if export.is_legacy or export.mode is Mode.CREATE_NEW:
            return
        present = set(self._account.list_keys())
        number = parts + 1
        while (key := export.data_key(period, number, "", at)) in present:
            self._account.put_object(key, emptied(self._account.read_object(key)), at=at)
            number += 1

    def _set_status(self, export: ExportSpec, status: str, at: datetime) -> None:
        if export.mode is Mode.ATHENA:
            table = pa.table({"status": [status]})
            self._account.put_object(export.status_key(), snappy_parquet(table), at=at)
