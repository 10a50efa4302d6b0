"""The invented billing tables: the same for the same seed, and of the shapes AWS writes."""

import gzip
import io
import json
import zipfile
from datetime import date

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from kcx.simulated_aws.tables.cur2 import cur2_parquet, cur2_table
from kcx.simulated_aws.tables.encode import csv_gz, csv_zip, emptied, snappy_parquet
from kcx.simulated_aws.tables.focus import focus12_csv_gz, focus12_table
from kcx.simulated_aws.tables.legacy import (
    legacy_cur_csv_gz,
    legacy_cur_parquet,
    legacy_cur_parquet_table,
    legacy_cur_table,
)

MAY = date(2026, 5, 1)
FILES = [legacy_cur_csv_gz, legacy_cur_parquet, cur2_parquet, focus12_csv_gz]
TABLES = [legacy_cur_table, legacy_cur_parquet_table, cur2_table, focus12_table]


def read_csv(part):
    """Every cell as text, NULL only where the field is empty and unquoted."""
    text = gzip.decompress(part)
    names = text.split(b"\n", 1)[0].decode().split(",")
    as_text = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    return pacsv.read_csv(io.BytesIO(text), convert_options=as_text)


@pytest.mark.parametrize("write", FILES)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_or_month_others(write):
    assert write(MAY, 20, 1) == write(MAY, 20, 1)
    assert len({write(MAY, 20, 1), write(MAY, 20, 2), write(date(2026, 6, 1), 20, 1)}) == 3


@pytest.mark.parametrize("table", TABLES)
def test_more_rows_of_a_seed_begin_with_the_fewer(table):
    assert table(MAY, 30, 1).slice(0, 20).equals(table(MAY, 20, 1))


@pytest.mark.parametrize(
    ("table", "write"), [(legacy_cur_table, legacy_cur_csv_gz), (focus12_table, focus12_csv_gz)]
)
@pytest.mark.parametrize("rows", [0, 40])
def test_a_csv_reads_back_as_its_table(table, write, rows):
    assert read_csv(write(MAY, rows, 1)).equals(table(MAY, rows, 1))


@pytest.mark.parametrize(
    ("table", "write"), [(cur2_table, cur2_parquet), (legacy_cur_parquet_table, legacy_cur_parquet)]
)
@pytest.mark.parametrize("rows", [0, 40])
def test_a_parquet_file_reads_back_as_its_table(table, write, rows):
    assert pq.read_table(pa.BufferReader(write(MAY, rows, 1))).equals(table(MAY, rows, 1))


def test_a_legacy_table_has_category_names_tags_and_missing_values():
    table = legacy_cur_table(MAY, 40, 1)
    assert table.num_columns == 51
    assert {name.split("/")[0] for name in table.column_names} >= {
        "identity",
        "bill",
        "lineItem",
        "resourceTags",
    }
    assert table["lineItem/ResourceId"].null_count == 5  # every eighth line is tax
    assert "" not in {cell for column in table.columns for cell in column.to_pylist()}
    assert 'Müller, "Süd"' in table["resourceTags/user:team"].to_pylist()
    assert "4E-7" in table["lineItem/UnblendedRate"].to_pylist()


def test_legacy_parquet_has_athenas_names_required_fields_and_no_null():
    table = pq.read_table(pa.BufferReader(legacy_cur_parquet(MAY, 40, 1)))
    assert {"resource_tags_user_team", "savings_plan_savings_plan_a_r_n"} < set(table.column_names)
    assert not any(field.nullable for field in table.schema)
    assert table.schema.field("line_item_unblended_cost").type == pa.float64()
    assert table.schema.field("line_item_usage_start_date").type == pa.timestamp("ms", "UTC")
    assert table["line_item_resource_id"].to_pylist().count("") == 5


def test_cur_2_0_has_all_published_columns_with_maps_and_nulls():
    table = cur2_table(MAY, 40, 1)
    assert table.num_columns == 115
    maps = {field.name: str(field.type) for field in table.schema if pa.types.is_map(field.type)}
    assert maps == {
        **dict.fromkeys(("cost_category", "product", "resource_tags", "tags"), "map<string, string>"),
        "discount": "map<string, double>",
    }
    assert table["discount"].null_count == 5
    assert table["resource_tags"].to_pylist()[7] == []
    assert all(field.nullable for field in table.schema)


def test_int96_timestamps_can_be_written_as_spark_does():
    written = pq.ParquetFile(pa.BufferReader(snappy_parquet(cur2_table(MAY, 3, 1), int96=True)))
    assert written.schema.column(2).physical_type == "INT96"


def test_focus_has_sixty_columns_json_tags_null_and_the_empty_string():
    table = focus12_table(MAY, 40, 1)
    assert table.num_columns == 60
    tags = [cell for cell in table["Tags"].to_pylist() if cell is not None]
    assert len(tags) == 35
    assert {"team": "web", "env": "prod"} in [json.loads(cell) for cell in tags]
    last_of_first_tax_line = gzip.decompress(focus12_csv_gz(MAY, 8, 1)).decode().splitlines()[8].split(",")
    assert last_of_first_tax_line[-4:-1] == ["", "{}", '""']  # Tags, x_Discounts, x_Operation


def test_a_zip_holds_one_csv():
    table = pa.table({"a": ["x,y"], "b": pa.array([None], pa.string())})
    with zipfile.ZipFile(io.BytesIO(csv_zip(table, "report-1.csv"))) as archive:
        assert archive.namelist() == ["report-1.csv"]
        assert archive.read("report-1.csv") == b'a,b\n"x,y",\n'


def test_an_emptied_file_keeps_its_header_or_schema_and_its_kind():
    table = pa.table({"a": ["1"], "b": ["2"]})
    assert gzip.decompress(emptied(csv_gz(table))) == b"a,b\n"
    with zipfile.ZipFile(io.BytesIO(emptied(csv_zip(table, "t.csv")))) as archive:
        assert archive.read(archive.namelist()[0]) == b"a,b\n"
    parquet = pq.read_table(pa.BufferReader(emptied(snappy_parquet(table))))
    assert (parquet.num_rows, parquet.schema) == (0, table.schema)
