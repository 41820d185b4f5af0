"""An SQLite file as a warehouse: reading, writing days, the demands on the tables that the user fills, sample data."""
