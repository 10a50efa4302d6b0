"""One view per export, with the source's own column names."""

from contextlib import closing
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ingestion import export_views, tasks
from ingestion.models import Export, ExportView
from kcx.simulated_aws.server import SimulatedAws
from tests.builders import ClientUnderTest, csv_gz, new_client
from tests.ingestion.registered import NOON

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "progress"])

KCX = ["kcx_billing_period", "kcx_delivery", "kcx_source_file_id", "kcx_row_number"]


def put(client: ClientUnderTest, text: str, key: str = "exports/lines/one.csv.gz", minute: int = 0) -> None:
    client.account.put_object(key, csv_gz(text), at=NOON + timedelta(minutes=minute))


def select(statement: str, *parameters: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return [tuple(row) for row in cursor.fetchall()]


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def columns(view: str) -> list[object]:
    found = select("SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", view)
    return [name for (name,) in found]


def view_of(client: ClientUnderTest) -> str:
    return ExportView.objects.get(export__connection=client.connection).name


def test_the_view_has_the_sources_own_names_and_nothing_is_lost(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, 'lineItem/Cost,B\n1,\n"",x\n')
    client_under_test.ingest()
    number = client_under_test.connection.client.name.split()[-1]
    assert view_of(client_under_test) == f"billing_export_client_no_{number}_lines"
    assert columns(view_of(client_under_test)) == [*KCX, "lineItem/Cost", "B"]
    file = client_under_test.file("exports/lines/one.csv.gz")
    whose = (None, file.deliveries.get().pk, file.pk)
    for view in (view_of(client_under_test), view_of(client_under_test) + "_all"):
        assert select(f'SELECT * FROM "{view}" ORDER BY kcx_row_number') == [
            (*whose, 1, "1", None),
            (*whose, 2, "", "x"),
        ]


def test_a_file_of_another_layout_adds_columns_at_the_end(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "a,b\n1,2\n")
    client_under_test.ingest()
    view = view_of(client_under_test)
    execute(f'CREATE VIEW built_on_it AS SELECT b FROM "{view}"')
    put(client_under_test, "c,b\n3,4\n", "exports/lines/two.csv.gz")
    client_under_test.ingest()
    assert columns(view) == [*KCX, "a", "b", "c"]
    assert set(select(f'SELECT a, b, c FROM "{view}"')) == {("1", "2", None), (None, "4", "3")}
    assert set(select("SELECT * FROM built_on_it")) == {("2",), ("4",)}
    execute("DROP VIEW built_on_it")


def test_names_that_no_view_can_have_are_resolved_and_listed(client_under_test: ClientUnderTest) -> None:
    long = "é" * 40
    header = f'{long}1,{long}2,a,A,a,a_2,kcx_delivery,"q""%s",ctid'
    put(client_under_test, f"{header}\n1,2,3,4,5,6,7,8,9\n")
    client_under_test.ingest()
    view = view_of(client_under_test)
    cut = "é" * 31
    names = [cut, "é" * 30 + "_2", "a", "A_2", "a_3", "a_2_2", "kcx_delivery_2", 'q"%s', "ctid"]
    assert columns(view) == [*KCX, *names]
    listed = select(
        "SELECT column_name, source_column, occurrence, source_position, source_type, remark"
        " FROM billing_export_columns WHERE view = %s ORDER BY column_position",
        view,
    )
    assert [row[1:] for row in listed] == [
        (source, occurrence, place, "string", "")
        for place, (source, occurrence) in enumerate(
            [(f"{long}1", 1), (f"{long}2", 1), ("a", 1), ("A", 1), ("a", 2), ("a_2", 1)]
            + [(name, 1) for name in ("kcx_delivery", 'q"%s', "ctid")],
            1,
        )
    ]
    assert [row[0] for row in listed] == names
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT {quoted} FROM "{view}"')
        assert cursor.fetchall() == [tuple("123456789")]


def test_beyond_what_a_view_can_have_columns_are_left_out_and_listed(
    client_under_test: ClientUnderTest,
) -> None:
    header = ",".join(f"column{n}" for n in range(1600))
    put(client_under_test, f"{header}\n{','.join('v' * 1600)}\n")
    client_under_test.ingest()
    view = view_of(client_under_test)
    assert len(columns(view)) == 1600
    assert select(f'SELECT column1595 FROM "{view}"') == [("v",)]
    left_out = select(
        "SELECT source_column FROM billing_export_columns WHERE view = %s AND remark <> %s", view, ""
    )
    assert left_out == [(f"column{n}",) for n in range(1596, 1600)]
    assert select("SELECT columns, columns_left_out FROM billing_export_views WHERE view = %s", view) == [
        (1596, 4)
    ]


def test_exports_whose_names_become_one_are_told_apart_and_keep_their_names(
    client_under_test: ClientUnderTest,
) -> None:
    for folder in ("my-lines", "my.lines", "My lines", "my_lines_all"):
        put(client_under_test, "a\n1\n", f"exports/{folder}/one.csv.gz")
    client_under_test.ingest()
    views = ExportView.objects.filter(export__connection=client_under_test.connection)
    slug = f"billing_export_client_no_{client_under_test.connection.client.name.split()[-1]}_my_lines"
    names = set(views.values_list("name", flat=True))
    assert len(names) == Export.objects.filter(connection=client_under_test.connection).count() == 4
    assert all(name.startswith(slug) for name in names)
    for export in Export.objects.filter(connection=client_under_test.connection):
        Export.objects.filter(pk=export.pk).update(name=f"another {export.pk}")
    assert call_command("export_views") is None
    assert set(views.values_list("name", flat=True)) == names


def test_a_view_that_somebody_reads_fails_no_load_and_is_made_by_the_sweep(
    client_under_test: ClientUnderTest,
) -> None:
    put(client_under_test, "a\n1\n")
    client_under_test.ingest()
    view = view_of(client_under_test)
    put(client_under_test, "a,b\n2,3\n", "exports/lines/two.csv.gz")
    client_under_test.discover()
    with closing(connection.copy()) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(f'SELECT count(*) FROM "{view}"')
        (attempt,) = client_under_test.load_all()
        assert attempt.outcome == attempt.Outcome.SUCCEEDED
        with pytest.raises(CommandError, match="1 could not be made"):
            call_command("export_views")
    assert columns(view) == [*KCX, "a"]
    assert {row[4] for row in select(f'SELECT * FROM "{view}"')} == {"1", "2"}
    tasks.sweep()
    assert set(select(f'SELECT a, b FROM "{view}"')) == {("1", None), ("2", "3")}


def test_what_was_loaded_before_there_were_views_gets_them(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "a\n1\n")
    client_under_test.ingest()
    view = view_of(client_under_test)
    execute(f'DROP VIEW "{view}", "{view}_all"')
    execute("TRUNCATE ingestion_exportview, ingestion_exportviewcolumn, ingestion_exportviewlayout")
    assert export_views.refresh_stale() == 1
    assert select(f'SELECT a FROM "{view}"') == [("1",)]
    assert export_views.refresh_stale() == 0


def test_a_superseded_row_is_in_the_all_view_only(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "a\n1\n")
    client_under_test.ingest()
    put(client_under_test, "a\n2\n", minute=5)
    client_under_test.ingest()
    view = view_of(client_under_test)
    assert select(f'SELECT a FROM "{view}"') == [("2",)]
    assert sorted(select(f'SELECT a FROM "{view}_all"')) == [("1",), ("2",)]


def test_two_clients_of_one_name_in_small_letters_have_views_of_their_own(
    aws: SimulatedAws, raw_database: None
) -> None:
    first, second = new_client(aws), new_client(aws)
    for client, name in ((first, "Acme & Co"), (second, "acme-co")):
        client.connection.client.name = name
        client.connection.client.save()
        put(client, f"a\n{name}\n")
        client.ingest()
    assert (view_of(first), view_of(second)) == (
        "billing_export_acme_co_lines",
        "billing_export_acme_co_lines_2",
    )
    assert select("SELECT a FROM billing_export_acme_co_lines_2") == [("acme-co",)]


def test_every_view_and_column_is_explained(client_under_test: ClientUnderTest) -> None:
    put(client_under_test, "a,a\n1,2\n")
    client_under_test.ingest()
    views = select("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v' AND relname ~ '^billing_'")
    assert {(view_of(client_under_test),), ("billing_rows_all",), ("billing_export_columns",)} <= set(views)
    without = select(
        "SELECT c.relname, attname FROM pg_class c JOIN pg_attribute ON attrelid = c.oid AND attnum > 0"
        " WHERE relkind = 'v' AND relname ~ '^billing_'"
        " AND (col_description(c.oid, attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)"
    )
    assert without == []
    second = select(
        "SELECT col_description(attrelid, attnum) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attname = 'a_2'",
        view_of(client_under_test),
    )
    assert second == [('The source\'s column "a" (no. 2 of this name), as received.',)]
