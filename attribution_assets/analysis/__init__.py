"""What is asked of stored data: learning, comparison, explanation, late data, plans, checking; no Dagster."""
