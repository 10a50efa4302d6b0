"""Compares what is stored with its digests, its receipts and the client's bucket."""
