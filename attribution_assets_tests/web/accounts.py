"""The accounts that tests log in with."""

from __future__ import annotations

PASSWORD = "a word that is secret"

TOKENS = {"staff": "5" * 40, "reader": "7" * 40}
"""By name: `staff` may do everything, `reader` may read."""
