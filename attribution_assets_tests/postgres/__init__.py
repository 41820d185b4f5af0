"""Tests of a schema on a PostgreSQL server, whose locale sorts otherwise than by bytes."""
