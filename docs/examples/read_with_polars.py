"""The current rows of one export in Polars: python read_with_polars.py VIEW (PGHOST says where)."""

import io
import sys

import polars as pl
import psycopg
from psycopg import sql

# An empty string comes quoted and NULL does not: Polars keeps them apart.
query = sql.SQL(
    'COPY (SELECT kcx_billing_period AS period, "lineItem/UnblendedCost" AS cost FROM {})'
    " TO STDOUT (FORMAT csv, HEADER)"
).format(sql.Identifier(sys.argv[1]))
with psycopg.connect() as session, session.cursor().copy(query) as copy:
    text = io.BytesIO(b"".join(copy))
frame = pl.read_csv(text, schema={"period": pl.String, "cost": pl.String})
costs = frame.with_columns(pl.col("cost").cast(pl.Decimal(38, 10)))
for period, cost in costs.group_by("period").agg(pl.col("cost").sum()).sort("period").iter_rows():
    print(period, cost.normalize())
