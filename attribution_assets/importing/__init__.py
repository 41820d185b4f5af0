"""Files of others into the source tables: what a mapping says, how a file is read, and how its rows come into the table."""
