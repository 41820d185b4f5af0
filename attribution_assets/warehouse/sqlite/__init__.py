"""An SQLite file as a warehouse: reading, replacing days, checking the tables that the user fills, sample data."""
