"""An AWS export's definition, and the keys under which AWS delivers it in each of its layouts."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from kcx.simulated_aws.tables.usage import month_bounds


class Family(StrEnum):
    """Which AWS product writes the export."""

    LEGACY_CUR = "legacy_cur"
    CUR_2_0 = "cur_2_0"
    FOCUS_1_2 = "focus_1_2"


class Mode(StrEnum):
    """Whether a delivery gets a folder of its own; `ATHENA` is legacy CUR's overwrite for Athena."""

    CREATE_NEW = "create_new"
    OVERWRITE = "overwrite"
    ATHENA = "athena"


@dataclass(frozen=True)
class ExportSpec:
    """One export: `root` is all of a key before the export's name, with its slash ("", "cost/", "/").

    `format` is the files' ending: csv.gz, csv.zip or snappy.parquet. Periods are any day of their month.
    """

    root: str
    name: str
    family: Family
    mode: Mode
    format: str

    def __post_init__(self) -> None:
        if self.mode is Mode.ATHENA and self.family is not Family.LEGACY_CUR:
            raise ValueError("Only a legacy CUR has Athena's layout.")

    @property
    def is_legacy(self) -> bool:
        return self.family is Family.LEGACY_CUR

    def snapshot_id(self, execution: str, started: datetime) -> str:
        """The assembly's or execution's id; a legacy CUR in Parquet uses the time instead of a UUID."""
        if self.is_legacy and self.format == "snappy.parquet":
            return f"{started:%Y%m%dT%H%M%SZ}"
        return execution

    def data_key(self, period: date, number: int, snapshot_id: str, started: datetime) -> str:
        """The key of part `number`, counted from 1."""
        folder = self._folder(self._data_folder(period), snapshot_id, started)
        part = str(number) if self.is_legacy and self.format.startswith("csv") else f"{number:05}"
        return f"{folder}{self.name}-{part}.{self.format}"

    def manifest_keys(self, period: date, snapshot_id: str, started: datetime) -> tuple[str, ...]:
        """Where the manifest is written, in AWS's order: the last is the pointer to the current delivery."""
        if self.mode is Mode.ATHENA:
            folders = [self._data_folder(period), f"{self.root}{self.name}/{_dates(period)}/"]
        else:
            folders = [self._manifest_folder(period)]
        if self.mode is Mode.CREATE_NEW:
            folders.insert(0, self._folder(folders[0], snapshot_id, started))
        return tuple(f"{folder}{self.name}-Manifest.json" for folder in folders)

    def status_key(self) -> str:
        """Athena's status table: one per report, not per month."""
        return f"{self.root}{self.name}/cost_and_usage_data_status/cost_and_usage_data_status.parquet"

    def helper_keys(self, period: date) -> tuple[str, ...]:
        """What AWS adds so that Athena can be set up."""
        if self.mode is not Mode.ATHENA:
            return ()
        report = f"{self.root}{self.name}/"
        return f"{report}crawler-cfn.yml", f"{report}{_dates(period)}/{self.name}-create-table.sql"

    def _folder(self, parent: str, snapshot_id: str, started: datetime) -> str:
        if self.mode is not Mode.CREATE_NEW:
            return parent
        if self.is_legacy:
            return f"{parent}{snapshot_id}/"
        stamp = f"{started:%Y-%m-%dT%H:%M:%S}.{started.microsecond // 1000:03}Z"
        return f"{parent}{stamp}-{snapshot_id}/"

    def _data_folder(self, period: date) -> str:
        report = f"{self.root}{self.name}/"
        if self.mode is Mode.ATHENA:
            return f"{report}{self.name}/year={period.year}/month={period.month}/"
        return f"{report}{_dates(period)}/" if self.is_legacy else f"{report}data/{self._partition(period)}/"

    def _manifest_folder(self, period: date) -> str:
        if self.is_legacy:
            return self._data_folder(period)
        return f"{self.root}{self.name}/metadata/{self._partition(period)}/"

    def _partition(self, period: date) -> str:
        name = "BILLING_PERIOD" if self.family is Family.CUR_2_0 else "billing_period"
        return f"{name}={period:%Y-%m}"


def _dates(period: date) -> str:
    start, end = month_bounds(period)
    return f"{start:%Y%m%d}-{end:%Y%m%d}"
