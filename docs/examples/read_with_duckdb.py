"""The current rows of one export in DuckDB, by way of Arrow: python read_with_duckdb.py VIEW.

DuckDB's own `postgres` extension scans the view in place, where DuckDB may download it:

    INSTALL postgres; LOAD postgres;
    ATTACH '' AS kcx (TYPE postgres, READ_ONLY);
    SELECT sum("lineItem/UnblendedCost"::DECIMAL(38, 10)) FROM kcx.client_acme.billing_export_acme_daily;
"""

import sys

import duckdb
import psycopg
import pyarrow as pa
from psycopg import sql

ROWS = 50_000
SCHEMA = pa.schema([("period", pa.date32()), ("cost", pa.string())])

query = sql.SQL('SELECT kcx_billing_period, "lineItem/UnblendedCost" FROM {}').format(
    sql.Identifier(sys.argv[1])
)
with psycopg.connect() as session, session.cursor(name="rows") as cursor:
    cursor.execute(query)
    batches = (
        pa.record_batch(
            [pa.array(column, kind) for column, kind in zip(zip(*rows), SCHEMA.types)], schema=SCHEMA
        )
        for rows in iter(lambda: cursor.fetchmany(ROWS), [])
    )
    lines = pa.RecordBatchReader.from_batches(SCHEMA, batches)
    costs = duckdb.sql("SELECT period, sum(cost::DECIMAL(38, 10)) FROM lines GROUP BY period ORDER BY period")
    for period, cost in costs.fetchall():
        print(period, cost.normalize())
