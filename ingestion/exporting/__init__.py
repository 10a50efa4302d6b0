"""Loaded rows as a stream of CSV, Parquet, Arrow or NDJSON."""
