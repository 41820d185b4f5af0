"""Everything that knows Dagster and names no asset: partitions, jobs, resources, checks, automation, history, IO managers."""
