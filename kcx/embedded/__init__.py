"""A Django database backend that starts its own PostgreSQL, for machines that have none."""
