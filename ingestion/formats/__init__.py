"""The file formats KCX reads: containers, CSV and Parquet, as Arrow batches of text."""
