"""What is asked of stored data: learning, crediting, comparison, explaining, late data, plans, reports, checking."""
