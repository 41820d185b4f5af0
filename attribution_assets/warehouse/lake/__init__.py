"""A folder of Delta tables as a warehouse: delta-rs commits, DuckDB computes."""
