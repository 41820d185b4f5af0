"""The spelling of statements that Spark takes."""

from __future__ import annotations

import re

TOKENS = re.compile(
    r"""--[^\n]*|(?:'[^']*')+|"[^"]*"|\$\w+|\b\d+(?:\.\d+)?e-?\d+\b|\b\d+\.\d+\b|\bAS MATERIALIZED\b|\bAS text(?=\))"""
)
"""What Spark spells otherwise: comments, strings, quoted names, parameters, numbers that are no decimals, and a few words."""


def as_statement(text: str) -> str:
    """The text as Spark takes it: `:name` for `$name`, and what else it spells otherwise."""

    def respelled(found: re.Match[str]) -> str:
        token = found[0]
        if token.startswith("--"):
            return ""
        if token.startswith("'"):
            return "'" + token[1:-1].replace("\\", "\\\\").replace("''", "\\'") + "'"
        if token.startswith('"'):
            return f"`{token[1:-1]}`"
        if token.startswith("$"):
            return f":{token[1:]}"
        return {"AS MATERIALIZED": "AS", "AS text": "AS string"}.get(token, f"{token}D")

    return TOKENS.sub(respelled, text)
