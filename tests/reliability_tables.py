"""`python -m tests.reliability_tables`: those tables of docs/reliability.md that are the tests' own data."""

import os
import sys
from collections.abc import Iterable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kcx.settings")
django.setup()

from tests.ingestion.bad_inputs.cases import Accepted, Case  # noqa: E402  # these need Django to be set up
from tests.ingestion.bad_inputs.large import LARGE  # noqa: E402
from tests.ingestion.bad_inputs.parquets import PARQUET  # noqa: E402
from tests.ingestion.bad_inputs.test_keys_and_states import STATES  # noqa: E402
from tests.ingestion.bad_inputs.texts import COMPRESSED, CSV  # noqa: E402
from tests.ingestion.pipeline.test_faults import DELAYS, LOSSES  # noqa: E402

CATALOGUE = {"gzip and zip": COMPRESSED, "CSV": CSV, "Parquet": PARQUET, "caps (lowered for the test)": LARGE}


def tables() -> str:
    """All of them, as Markdown."""
    parts = [_table(["fault of the wire", "the load ends with"], _wire())]
    parts.append(_table(["S3 answers", "the file fails with", "tried again"], _states()))
    for title, cases in CATALOGUE.items():
        rows = [_row(name, case) for name, case in cases.items()]
        parts.append(_table([f"{title}: {len(cases)} cases", "what becomes of it", "what is said"], rows))
    return "\n\n".join(parts)


def _wire() -> list[list[str]]:
    lasting = [[name, f"`{code}`"] for name, (_, code) in LOSSES.items()]
    return lasting + [[name, "`too_slow`"] for name in DELAYS]


def _states() -> list[list[str]]:
    return [
        [name.replace("-", " "), f"`{state.code}`", "yes" if state.transient else "no"]
        for name, state in STATES.items()
    ]


def _row(name: str, case: Case) -> list[str]:
    title = name.replace("-", " ")
    if isinstance(case, Accepted):
        odd = f", {case.blank_lines} blank lines counted" if case.blank_lines else ""
        odd += f", {case.lone_returns} lone carriage returns counted" if case.lone_returns else ""
        odd += ", the name told" if case.repeated else ""
        return [title, f"stored: {len(case.rows)} rows{odd}", ""]
    where = [f"row {case.row}"] if case.row else []
    where += [f"column {case.column}"] if case.column else []
    where += ["for good when it comes a second time"] if case.looks > 1 else []
    return [title, f"`{case.code}`" + "".join(f", {one}" for one in where), case.says]


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.stdout.write(tables() + "\n")
