"""DuckDB beside an SQLite file: when it computes a query, and the process in which it does."""
