"""Files and servers of others into the source tables: what a mapping says, how they are read, how the rows come in."""
