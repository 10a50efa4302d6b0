"""The views downstream reads: their columns, what is current, and how little they touch."""

import gzip
import json
from datetime import timedelta

import pyarrow as pa
import pytest
from django.db import ProgrammingError, connection

from ingestion.models import Delivery, Export
from kcx.simulated_aws.deliveries import BillingService
from kcx.simulated_aws.exports import ExportSpec, Family, Mode
from kcx.simulated_aws.server import SimulatedAws
from tests.billing.raw_rows import one
from tests.builders import ClientUnderTest, csv_gz, new_client, parquet
from tests.ingestion.registered import MARCH, NOON

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

VIEWS = ["billing_rows_all", "billing_rows_current"]
EACH_WITH_AN_EXPORT = [
    *(*VIEWS, "billing_rows_published", "billing_rows_as_of(now())", "billing_files", "billing_deliveries"),
    *("billing_delivery_files", "billing_deliveries_never_current"),
]
CONTRACT = [
    ("client", "character varying(200)"),
    ("connection", "character varying(200)"),
    ("connection_id", "bigint"),
    ("export", "character varying(256)"),
    ("family", "character varying(20)"),
    ("billing_period", "date"),
    ("delivery", "bigint"),
    ("source_key", "character varying(1024)"),
    ("source_etag", "character varying(256)"),
    ("source_file_id", "bigint"),
    ("row_number", "bigint"),
    ("columns", "text[]"),
    ("values", "text[]"),
    ("data", "jsonb"),
    ("export_id", "bigint"),
]
KEY = "exports/lines/one.csv.gz"


def select(statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [tuple(row) for row in cursor.fetchall()]


def put(client: ClientUnderTest, text: str, minute: int = 0, key: str = KEY) -> None:
    client.account.put_object(key, gzip.compress(text.encode(), mtime=0), at=NOON + timedelta(minutes=minute))


@pytest.mark.parametrize("view", VIEWS)
def test_the_columns_are_the_ones_others_build_on(client_under_test: ClientUnderTest, view: str) -> None:
    columns = select(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum",
        view,
    )
    assert columns == CONTRACT


@pytest.mark.parametrize("view", VIEWS)
def test_every_column_says_what_it_should(client_under_test: ClientUnderTest, view: str) -> None:
    put(client_under_test, 'b,a\n1,\n"",x\n')
    client_under_test.ingest()
    file, stored = client_under_test.file(KEY), client_under_test.connection
    delivery = file.deliveries.get()
    whose = (stored.client.name, stored.name, stored.pk, "lines", "generic", None, delivery.pk)
    source = (KEY, file.etag, file.pk)
    assert [
        (*row[:13], json.loads(str(row[13])), *row[14:])
        for row in select(f"SELECT * FROM {view} ORDER BY row_number")
    ] == [
        (*whose, *source, 1, ["b", "a"], ["1", None], {"b": "1", "a": None}, file.export_id),
        (*whose, *source, 2, ["b", "a"], ["", "x"], {"b": "", "a": "x"}, file.export_id),
    ]


@pytest.mark.parametrize("view", EACH_WITH_AN_EXPORT)
def test_two_exports_of_one_name_are_told_apart_by_their_ids(
    client_under_test: ClientUnderTest, view: str
) -> None:
    service, cost = BillingService(client_under_test.account), csv_gz("lineItem/UnblendedCost\n1\n")
    for root in ("exports/new/", "exports/old/"):
        export = ExportSpec(root, "r", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
        service.deliver(export, MARCH, [cost], at=NOON)
    client_under_test.discover()
    Export.objects.update(decision=Export.Decision.LOAD)  # both, though they may hold the same lines
    if "never_current" not in view:
        client_under_test.ingest()
    ids = {(pk,) for pk in Export.objects.values_list("pk", flat=True)}
    assert set(Export.objects.values_list("name", flat=True)) == {"r"}
    assert (len(ids), set(select(f"SELECT export_id FROM {view}"))) == (2, ids)


def test_a_file_of_no_export_has_no_id_of_one(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "a\n1\n", key="exports/lonely.bin")
    client_under_test.discover()
    assert select("SELECT export, export_id FROM billing_files") == [(None, None)]


def test_a_delivery_tells_what_it_changed_and_of_which_key(client_under_test: ClientUnderTest) -> None:
    export = ExportSpec("exports/", "r", Family.LEGACY_CUR, Mode.OVERWRITE, "csv.gz")
    service = BillingService(client_under_test.account)
    for minute, text in enumerate(["a/n\n1\n", "a/n,a/late\n1,\n2,\n"]):
        service.deliver(export, MARCH, [csv_gz(text)], at=NOON + timedelta(minutes=minute))
        put(client_under_test, text, minute)
        client_under_test.ingest()
    told = select("SELECT key, delivery, restatement FROM billing_deliveries ORDER BY key, delivered_at")
    assert [key for key, _, _ in told] == ["", "", KEY, KEY]
    for name, (_, first, nothing), (_, _, changed) in (("r-1.csv.gz", *told[:2]), ("one.csv.gz", *told[2:])):
        assert nothing is None
        assert json.loads(str(changed)) == {
            "against_delivery": first,
            "files_added": [],
            "files_changed": [name],
            "files_gone": [],
            "rows_before": 1,
            "rows_after": 2,
            "columns_came": ["a/late"],
            "columns_went": [],
        }


def test_a_newer_version_of_a_key_takes_the_older_ones_place(client_under_test: ClientUnderTest) -> None:
    for minute, text in enumerate(["a\nold 1\nold 2\n", "a\nnew\n"]):
        put(client_under_test, text, minute)
        client_under_test.ingest()
    current = select("SELECT data->>'a' FROM billing_rows_current")
    everything = select("SELECT data->>'a', delivery FROM billing_rows_all ORDER BY 1")
    assert current == [("new",)]
    assert [value for value, _ in everything] == ["new", "old 1", "old 2"]
    assert everything[1][1] == everything[2][1] != everything[0][1]


def test_rows_that_two_deliveries_hold_are_there_once(client_under_test: ClientUnderTest) -> None:
    for minute, text in enumerate(["a\nA\n", "a\nB\n", "a\nA\n"]):
        put(client_under_test, text, minute)
        client_under_test.ingest()
    newest = Delivery.objects.latest("delivered_at").pk
    assert select("SELECT data->>'a', delivery FROM billing_rows_current") == [("A", newest)]
    everything = select("SELECT data->>'a', delivery FROM billing_rows_all ORDER BY 1")
    assert everything == [("A", newest), ("B", newest - 1)]


def test_of_duplicate_names_data_keeps_the_last_and_values_both(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "tag,cost,tag\nfirst,1,last\n")
    client_under_test.ingest()
    assert one("SELECT data->>'tag', columns, \"values\" FROM billing_rows_current") == (
        "last",
        ["tag", "cost", "tag"],
        ["first", "1", "last"],
    )


def test_a_cell_is_taken_by_its_columns_exact_name(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, 'lineItem/UnblendedCost,lineitem/unblendedcost,n\n0.10,other,\n"",,\n')
    client_under_test.ingest()
    cells = select(
        "SELECT billing_value(columns, \"values\", 'lineItem/UnblendedCost'),"
        " billing_value(columns, \"values\", 'n') FROM billing_rows_current ORDER BY row_number"
    )
    assert cells == [("0.10", None), ("", None)]


@pytest.mark.parametrize(
    ("name", "why"), [("missing", 'no column "missing"'), ("tag", '2 columns "tag"'), ("Cost", "no column")]
)
def test_a_name_that_is_not_there_once_is_refused(
    client_under_test: ClientUnderTest, name: str, why: str
) -> None:
    put(client_under_test, "tag,cost,tag\nfirst,1,last\n")
    client_under_test.ingest()
    with pytest.raises(ProgrammingError, match=why):
        select('SELECT billing_value(columns, "values", %s) FROM billing_rows_current', name)


def test_the_rows_of_one_connection_are_looked_for_in_its_partition_only(
    aws: SimulatedAws, client_under_test: ClientUnderTest
) -> None:
    neighbour = new_client(aws)
    for client in (client_under_test, neighbour):
        put(client, "a\n1\n")
        client.ingest()
    for view in VIEWS:
        mine = client_under_test.connection.pk
        assert select(f"SELECT connection_id FROM {view} WHERE connection_id = %s", mine) == [(mine,)]
        plan = "\n".join(
            str(line) for (line,) in select(f"EXPLAIN SELECT * FROM {view} WHERE connection_id = %s", mine)
        )
        assert f"billing_rawrow_{mine} " in plan
        assert f"billing_rawrow_{neighbour.connection.pk} " not in plan


def test_a_parquet_and_a_csv_are_read_the_same_way(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "cost\n0.1\n")
    client_under_test.account.put_object("exports/lines/two.parquet", parquet(pa.table({"cost": [0.1]})))
    client_under_test.account.put_object("exports/lines/none.csv.gz", csv_gz("cost\n"))
    client_under_test.ingest()
    costs = select("SELECT billing_value(columns, \"values\", 'cost') FROM billing_rows_current")
    assert costs == [("0.1",), ("0.1",)]


@pytest.mark.parametrize("view", VIEWS)
def test_a_reader_in_psql_is_told_what_he_sees(client_under_test: ClientUnderTest, view: str) -> None:
    assert one("SELECT obj_description(%s::regclass)", view) != (None,)
    assert "duplicate names" in str(one("SELECT col_description(%s::regclass, 14)", view)[0])
    assert one("SELECT obj_description('billing_value(text[], text[], text)'::regprocedure)") != (None,)
