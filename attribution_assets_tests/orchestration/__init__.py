"""The contract of the IO managers: what Dagster's runs write and read."""
