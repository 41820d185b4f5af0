"""The Dagster assets: thin faces that name a query, its days and what a row is."""
