"""Spark: a lake computed by an Apache Spark cluster, by Spark Connect."""
