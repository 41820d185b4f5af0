"""Marketing attribution as a Dagster asset graph: sessions, conversions and costs in, daily channel reporting out."""
