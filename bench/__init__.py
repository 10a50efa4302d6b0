"""How fast and how small a whole ingest is, beside `zcat | psql` in the same run."""
