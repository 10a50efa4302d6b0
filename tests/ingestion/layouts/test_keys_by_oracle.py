"""The classifier against an oracle of regular expressions, on keys nobody thought of."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.layouts.keys import KeyFacts, KeyLayout, classify

NAME_LEG = r"[0-9A-Za-z!\-_.*'()]+"  # cur: ReportName pattern, max 256
NAME_DE = r"[0-9A-Za-z\-_]+"  # bcm-data-exports: ExportName pattern, max 128
ROOT = r"(?P<root>(?:[^/]*/)*?)"  # prefix incl. trailing '/', may hold EMPTY segments ('//' or leading '/')
UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
DATES = r"(?P<start>\d{8})-(?P<end>\d{8})"
FMT = r"(?P<fmt>csv\.gz|csv\.zip|csv|snappy\.parquet|parquet)"
PART_BP = r"(?:BILLING_PERIOD|billing_period)=(?P<bp>\d{4}-(?:0[1-9]|1[0-2]))"
PART_DATE = r"date=(?P<date>\d{4}-\d{2}-\d{2})"
PART_CARBON = r"carbon_model_version=(?P<cmv>[^/]+)/usage_period=(?P<up>\d{4}-\d{2})"
PART = rf"(?P<partition>{PART_BP}|{PART_DATE}|{PART_CARBON})"
EXEC = rf"(?P<ts>\d{{4}}-\d{{2}}-\d{{2}}T\d{{2}}:\d{{2}}:\d{{2}}(?:\.\d+)?Z)-(?P<exec>{UUID})"

RULES = [  # (family, kind, mode, scope, regex) - first match wins
    # ---- Data Exports (CUR 2.0, FOCUS, COH, carbon) -------------------------------------------------
    (
        "data_export",
        "data",
        "create_new",
        None,
        rf"^{ROOT}(?P<name>{NAME_DE})/data/{PART}/{EXEC}/(?P=name)-(?P<part>\d{{5}})\.{FMT}$",
    ),
    (
        "data_export",
        "data",
        "overwrite",
        None,
        rf"^{ROOT}(?P<name>{NAME_DE})/data/{PART}/(?P=name)-(?P<part>\d{{5}})\.{FMT}$",
    ),
    (
        "data_export",
        "manifest",
        "create_new",
        "snapshot",
        rf"^{ROOT}(?P<name>{NAME_DE})/metadata/{PART}/{EXEC}/(?:(?P=name)-)?Manifest\.json$",
    ),
    (
        "data_export",
        "manifest",
        None,
        "current",
        rf"^{ROOT}(?P<name>{NAME_DE})/metadata/{PART}/(?:(?P=name)-)?Manifest\.json$",
    ),
    ("data_export", "unlisted", None, None, rf"^{ROOT}(?P<name>{NAME_DE})/(?:data|metadata)/{PART}/.+$"),
    # ---- legacy CUR ---------------------------------------------------------------------------------
    (
        "legacy_cur",
        "status",
        None,
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/(?:(?P=name)/)?(?:{DATES}/)?cost_and_usage_data_status(?:/.*)?$",
    ),
    (
        "legacy_cur",
        "helper",
        None,
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/(?:(?P=name)/)?(?:{DATES}/)?(?:(?P<assembly>[^/]+)/)?(?P=name)-(?:RedshiftCommands\.sql|RedshiftManifest\.json|create-table\.sql)$",
    ),
    (
        "legacy_cur",
        "helper",
        None,
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/(?:(?P=name)/)?(?:{DATES}/)?crawler-cfn\.yml$",
    ),
    (
        "legacy_cur",
        "manifest",
        None,
        "current",
        rf"^{ROOT}(?P<name>{NAME_LEG})/{DATES}/(?P=name)-Manifest\.json$",
    ),
    (
        "legacy_cur",
        "manifest",
        "create_new",
        "snapshot",
        rf"^{ROOT}(?P<name>{NAME_LEG})/{DATES}/(?P<assembly>[^/]{{1,256}})/(?P=name)-Manifest\.json$",
    ),
    (
        "legacy_cur",
        "data",
        "create_new",
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/{DATES}/(?P<assembly>[^/]{{1,256}})/(?P=name)-(?P<part>\d+)\.{FMT}$",
    ),
    (
        "legacy_cur",
        "data",
        "overwrite",
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/{DATES}/(?P=name)(?:-(?P<part>\d+))?\.{FMT}$",
    ),
    (
        "legacy_cur",
        "manifest",
        "athena",
        "current",
        rf"^{ROOT}(?P<name>{NAME_LEG})/(?P=name)/year=(?P<y>\d{{4}})/month=(?P<m>0?[1-9]|1[0-2])/(?P=name)-Manifest\.json$",
    ),
    (
        "legacy_cur",
        "data",
        "athena",
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/(?P=name)/year=(?P<y>\d{{4}})/month=(?P<m>0?[1-9]|1[0-2])/(?P=name)-(?P<part>\d+)\.{FMT}$",
    ),
    (
        "legacy_cur",
        "unlisted",
        None,
        None,
        rf"^{ROOT}(?P<name>{NAME_LEG})/{DATES}/(?:(?P<assembly>[^/]{{1,256}})/)?[^/]+\.{FMT}$",
    ),
    # ---- DBR and account-level legacy reports -------------------------------------------------------
    (
        "dbr",
        "data",
        "overwrite",
        None,
        r"^(?P<root>(?:[^/]*/)*?)(?P<account>\d{12})-aws-(?P<name>billing-detailed-line-items(?:-with-resources-and-tags)?|billing-csv|cost-allocation)-(?P<bp>\d{4}-\d{2})\.csv(?P<zip>\.zip)?$",
    ),
    # ---- AWS drops ----------------------------------------------------------------------------------
    (
        "none",
        "test_object",
        None,
        None,
        r"^(?P<root>(?:[^/]*/)*?)(?:aws-programmatic-access-test-object|test-object)$",
    ),
]
COMPILED = [(*rule[:4], re.compile(rule[4])) for rule in RULES]

NAMES = ["r", "e", "20240101-20240201", "data", "a-1", "n.x", "cur"]
FOLDERS = [
    *NAMES,
    *("", "p", "metadata", "20240301-20240401", "a1b2", "20240301T010203Z"),
    *("BILLING_PERIOD=2024-03", "billing_period=2024-12", "BILLING_PERIOD=2024-13", "date=2024-03-15"),
    *("carbon_model_version=v3.0.0", "usage_period=2024-03", "year=2024", "month=3", "month=03", "month=13"),
    *("2024-05-18T20:16:37.306Z-3695a728-d559-40bd-ac30-ffc97b552489", "cost_and_usage_data_status"),
]
FILES = [
    *(
        "{n}-1.csv.gz",
        "{n}-00001.snappy.parquet",
        "{n}-00012.csv.zip",
        "{n}.csv",
        "{n}-x.csv.gz",
        "x.parquet",
    ),
    *(
        "{n}-Manifest.json",
        "Manifest.json",
        "{n}-RedshiftCommands.sql",
        "{n}-create-table.sql",
        "crawler-cfn.yml",
    ),
    *("123456789012-aws-billing-csv-2017-06.csv", "test-object", "cost_and_usage_data_status", "x"),
]


def near_miss(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(NAMES))
    folders = draw(st.lists(st.sampled_from([*FOLDERS, name, name, name]), max_size=7))
    return "/".join([*folders, draw(st.sampled_from(FILES)).format(n=name)])


def expected(key: str) -> tuple[str | None, ...]:
    """What the first matching rule says: layout, kind, mode, scope, root, name, snapshot."""
    for family, kind, mode, scope, pattern in COMPILED:
        if found := pattern.match(key):
            groups = found.groupdict()
            snapshot = groups.get("assembly") or groups.get("exec")
            root, name = ("", "") if family == "none" else (groups["root"], groups["name"])
            return family, kind, mode, scope, root, name, snapshot
    return "none", "ignored", None, None, "", "", None


@settings(max_examples=3000, deadline=None)
@given(st.composite(near_miss)())
def test_near_misses_are_told_as_the_rules_tell_them(key: str) -> None:
    facts = classify(key)
    if facts.key_layout is KeyLayout.GENERIC:  # the rules know nothing of a client's own files
        assert expected(key)[:2] == ("none", "ignored")
        return
    told = (facts.key_layout, facts.kind, facts.mode, facts.scope, facts.root, facts.name, facts.snapshot_id)
    assert told == expected(key)


@given(
    st.text(max_size=3000) | st.text("/-=0129aZ.", max_size=3000) | st.from_regex(r"(20240301-20240401/|a/)*")
)
def test_no_key_raises(key: str) -> None:
    assert isinstance(classify(key), KeyFacts)


@given(st.lists(st.sampled_from(["a", "a-1", "data", "20240301-20240401", ""]), min_size=300, max_size=500))
def test_a_key_of_hundreds_of_folders_is_read(folders: list[str]) -> None:
    key = "/".join([*folders, "a-1.csv.gz"])
    assert classify(key).root + classify(key).name == key[: len(classify(key).root + classify(key).name)]
