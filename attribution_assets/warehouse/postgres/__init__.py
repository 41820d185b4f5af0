"""A schema on a PostgreSQL server as a warehouse: functions, views, reading, replacing days."""
