"""The assets: those of the catalog, the functions that compute what is no query, and the comparison, which has no days."""
