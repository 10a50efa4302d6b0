"""The current rows of one export in pandas: python read_with_pandas.py VIEW (PGHOST says where)."""

import sys

import pandas as pd
import psycopg
from psycopg import sql

# No fetch holds more than this many rows at once.
ROWS = 50_000

query = sql.SQL('SELECT kcx_billing_period, "lineItem/UnblendedCost" AS cost FROM {}').format(
    sql.Identifier(sys.argv[1])
)
with psycopg.connect() as session, session.cursor(name="rows") as cursor:
    cursor.execute(query)
    parts = [
        pd.DataFrame(rows, columns=["period", "cost"]) for rows in iter(lambda: cursor.fetchmany(ROWS), [])
    ]
frame = pd.concat(parts, ignore_index=True)
frame["cost"] = pd.to_numeric(frame["cost"])
print(frame.groupby("period")["cost"].sum().to_string(header=False))
