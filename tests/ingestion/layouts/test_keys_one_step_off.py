"""Known keys with a segment or two changed, against the oracle: near misses of every rule."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.layouts.keys import KeyLayout, Kind, Partition, classify
from tests.ingestion.layouts.test_keys import VECTORS
from tests.ingestion.layouts.test_keys_by_oracle import COMPILED, FOLDERS

EXECUTION = "2024-05-18T20:16:37.306Z-3695a728-d559-40bd-ac30-ffc97b552489"
KNOWN = [
    *(str(vector[1]) for vector in VECTORS if vector[3] != "ignored"),
    f"p/e/metadata/BILLING_PERIOD=2024-05/{EXECUTION}/e-Manifest.json",
    f"p/e/metadata/billing_period=2024-05/{EXECUTION}/Manifest.json",
    f"p/c/data/carbon_model_version=v3.0.0/usage_period=2024-03/{EXECUTION}/c-00001.csv.gz",
    "p/coh/data/date=2024-03-15/coh-00001.snappy.parquet",
    "p/cur/cur/year=2018/month=12/cur-Manifest.json",
    "p/cur/cur/20181201-20190101/a1/cur-RedshiftCommands.sql",
]
OTHERS = [
    *FOLDERS,
    EXECUTION,
    "e-00001.csv.gz",
    "Manifest.json",
    "x.parquet",
    "crawler-cfn.yml",
    "date=2024-3-15",
]


@st.composite
def one_step_off(draw: st.DrawFn) -> str:
    segments = draw(st.sampled_from(KNOWN)).split("/")
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(segments) - 1))
        other = draw(st.sampled_from([*OTHERS, *segments]))
        step = draw(st.sampled_from(["replace", "insert", "drop", "shorten"]))
        if step == "shorten":
            segments[place] = segments[place][:-1]
        else:
            segments[place : place + (step != "insert")] = [] if step == "drop" else [other]
        segments = segments or ["x"]
    return "/".join(segments)


def expected(key: str) -> tuple[object, ...]:
    """Layout, kind, mode, scope, root, name, period, snapshot and part, as the first matching rule says."""
    for layout, kind, mode, scope, pattern in COMPILED:
        if found := pattern.match(key):
            told = found.groupdict()
            if layout == "none":
                return layout, kind, mode, scope, "", "", None, None, None
            snapshot, part = told.get("assembly") or told.get("exec"), told.get("part")
            place = (told["root"], told["name"], _period(told), snapshot)
            return layout, kind, mode, scope, *place, None if part is None else int(part)
    return "none", "ignored", None, None, "", "", None, None, None


def _period(told: dict[str, str | None]) -> str | None:
    if start := told.get("start"):
        return f"{start[:4]}-{start[4:6]}"
    if year := told.get("y"):
        return f"{year}-{int(told['m'] or 0):02}"
    return told.get("bp") or told.get("date") or told.get("up")


def told_by_the_classifier(key: str) -> tuple[object, ...]:
    facts = classify(key)
    shown = 10 if facts.partition is Partition.DATE else 7
    period = facts.period_start.isoformat()[:shown] if facts.period_start else None
    place = (facts.root, facts.name, period, facts.snapshot_id)
    return facts.key_layout, facts.kind, facts.mode, facts.scope, *place, facts.part


@settings(max_examples=3000, deadline=None)
@given(one_step_off())
def test_a_key_one_step_off_is_told_as_the_rules_tell_it(key: str) -> None:
    facts = classify(key)
    if facts.kind is Kind.FOLDER:  # the rules know neither folders nor a client's own files
        assert key.endswith("/") or not key
    elif facts.key_layout is KeyLayout.GENERIC:
        assert expected(key)[:2] == ("none", "ignored")
    else:
        assert told_by_the_classifier(key) == expected(key)
