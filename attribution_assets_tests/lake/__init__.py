"""Tests of a lake: what is different from an SQLite file, and that nothing else is."""
