"""What each daily table is, its queries and its checks: data, and no Dagster."""
