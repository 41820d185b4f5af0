"""DuckDB: beside an SQLite file, the views before sources that it reads, and its scanners of other databases."""
