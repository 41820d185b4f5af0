"""The reports that people read: what each is called, what its columns mean, and its rows; no page, no file, no Dagster."""
