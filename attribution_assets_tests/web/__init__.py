"""Tests of the web application, mostly by a server that runs."""
