"""The functions that the files of sql/ use beyond SQL's own, for PostgreSQL: the same answers as in SQLite, to the last bit."""

from __future__ import annotations

import hashlib

from attribution_assets.warehouse.dialect import LARGEST
from attribution_assets.warehouse.functions import UNITS

_NUMBER = r"^[ \t\n\r\f\v]*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,4})?[ \t\n\r\f\v]*$"
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
_WORDS = """regexp_matches(lower(channel COLLATE unicode), '[[:alnum:]]+', 'g') WITH ORDINALITY AS found (words, place)"""


def _function(signature: str, returns: str, body: str) -> str:
    return f"CREATE OR REPLACE FUNCTION {signature} RETURNS {returns} IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$ {body} $$"


def _of_numbers(name: str, body: str) -> list[str]:
    """The function of a number x, and of a text that may be one."""
    return [
        _function(f"{name}(x double precision)", "boolean", body),
        _function(f"{name}(x text)", "boolean", f"SELECT x IS NOT NULL AND {name}(coalesce(number_of(x), 'NaN'))"),
    ]


FUNCTIONS = (
    """DO $$ BEGIN
        CREATE DOMAIN double AS double precision;
    EXCEPTION WHEN duplicate_object THEN NULL;
    END $$""",
    """DO $$ BEGIN
        IF EXISTS (SELECT 1 FROM pg_collation WHERE collname = 'und-x-icu') THEN
            CREATE COLLATION IF NOT EXISTS unicode FROM pg_catalog."und-x-icu";
        ELSE
            CREATE COLLATION IF NOT EXISTS unicode FROM pg_catalog."default";
        END IF;
    END $$""",
    """DO $$ BEGIN
        CREATE AGGREGATE sum(bigint) (sfunc = int8pl, stype = bigint, combinefunc = int8pl, parallel = safe);
    EXCEPTION WHEN duplicate_function THEN NULL;
    END $$""",
    _function(
        "step_after(reached bigint, step bigint)",
        "bigint",
        "SELECT CASE WHEN step = reached + 1 THEN step ELSE reached END",
    ),
    """DO $$ BEGIN
        CREATE AGGREGATE last_step(bigint) (sfunc = step_after, stype = bigint, initcond = '0');
    EXCEPTION WHEN duplicate_function THEN NULL;
    END $$""",
    _function(
        "number_of(x text)",
        "double precision",
        f"""SELECT CASE WHEN x ~ '{_NUMBER}' AND length(x) < 300 THEN CASE
            WHEN abs(CAST(x AS numeric)) > 1.7e308 THEN sign(CAST(x AS numeric)) * CAST('Infinity' AS double precision)
            WHEN abs(CAST(x AS numeric)) < 1e-300 THEN 0
            ELSE CAST(x AS double precision)
        END END""",
    ),
    _function(
        "whole_units(x double precision)",
        "bigint",
        "SELECT CASE WHEN abs(x) < 9e18 THEN CAST(trunc(x) AS bigint) END",
    ),
    _function(
        "parts_of_unit(x double precision)",
        "bigint",
        f"SELECT CASE WHEN abs(x) < 9e18 THEN CAST(floor((x - trunc(x)) * {float(UNITS)!r}) AS bigint) END",
    ),
    _function(
        "total_of(whole numeric, parts numeric)",
        "double precision",
        f"SELECT coalesce((SELECT sign(units) * (CAST(div(abs(units), {UNITS}) AS double precision) "
        f"+ CAST(mod(abs(units), {UNITS}) AS double precision) / {float(UNITS)!r}) "
        f"FROM (SELECT whole * {UNITS} + parts AS units) AS total), 0)",
    ),
    _function(
        "is_date(x text)",
        "boolean",
        """SELECT CASE
            WHEN x ~ '^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$' AND x >= '0001' COLLATE "C"
            THEN substr(x, 9, 2) < '29' COLLATE "C" OR CAST(substr(x, 9, 2) AS integer) <= extract(
                day FROM make_date(CAST(substr(x, 1, 4) AS integer), CAST(substr(x, 6, 2) AS integer), 1)
                + interval '1 month' - interval '1 day')
            ELSE false
        END""",
    ),
    _function("is_no_date(x text)", "boolean", "SELECT NOT is_date(x)"),
    _function("is_time(x text)", "boolean", f"SELECT coalesce(x ~ '^{_TIME}$', false)"),
    _function(
        "days_before(day text, n bigint)",
        "text",
        """SELECT CASE WHEN is_date(day) THEN to_char(
            least(greatest(CAST(day AS date) - CAST(n AS integer), DATE '0001-01-01'), DATE '9999-12-31'), 'YYYY-MM-DD'
        ) END""",
    ),
    _function("group_of(channel text, groups text)", "text", "SELECT coalesce(CAST(groups AS jsonb) ->> channel, channel)"),
    _function("instr(x text, y text)", "integer", "SELECT strpos(x, y)"),
    *_of_numbers("is_number", "SELECT coalesce(x - x = 0, false)"),
    _function("is_no_amount(x double precision)", "boolean", f"SELECT coalesce(NOT abs(x) <= {LARGEST}, true)"),
    _function("is_no_amount(x text)", "boolean", "SELECT is_no_amount(number_of(x))"),
    *_of_numbers("is_wrong_amount", "SELECT x IS NOT NULL AND is_no_amount(x)"),
    *_of_numbers("is_wrong_count", "SELECT x IS NOT NULL AND (is_no_amount(x) OR x <> trunc(x))"),
    _function("is_no_flag(x double precision)", "boolean", "SELECT coalesce(x NOT IN (0, 1), true)"),
    _function("is_no_flag(x text)", "boolean", "SELECT is_no_flag(number_of(x))"),
    _function(
        "is_broken_event(session_id text, event_type text, created_at text)",
        "boolean",
        f"""SELECT coalesce(session_id, '') = '' OR coalesce(event_type, '') = ''
        OR coalesce(NOT created_at ~ '^{_DAY} {_TIME}$' OR NOT is_date(substr(created_at, 1, 10)), true)
        """,
    ),
    *(
        function
        for type_, kind in (("text", "text"), ("bigint", "integer"), ("double precision", "real"))
        for function in (
            _function(f"type_of(x {type_})", "text", f"SELECT CASE WHEN x IS NULL THEN 'null' ELSE '{kind}' END"),
            _function(f"is_utf8(x {type_})", "boolean", "SELECT true"),
        )
    ),
    _function("quote(x text)", "text", "SELECT coalesce('''' || replace(x, '''', '''''') || '''', 'NULL')"),
    _function("quote(x bigint)", "text", "SELECT coalesce(CAST(x AS text), 'NULL')"),
    _function(
        "quote(x double precision)",
        "text",
        r"SELECT coalesce(regexp_replace(CAST(x AS text), '^(-?[0-9]+)(e|$)', '\1.0\2'), 'NULL')",
    ),
    _function("matches(x text, pattern text)", "boolean", "SELECT x ~ ('^(' || replace(pattern, '(?s)', '') || ')$')"),
    _function(
        "rounded(x double precision, digits bigint)",
        "double precision",
        "SELECT CAST(round(CAST(x AS numeric), CAST(digits AS integer)) AS double precision)",
    ),
    _function(
        "printf(form text, x double precision)",
        "text",
        "SELECT CAST(round(CAST(x AS numeric), CAST(substr(form, 3, 1) AS integer)) AS text)",
    ),
    _function(
        "seconds_of(x text)",
        "bigint",
        "SELECT CASE WHEN is_date(substr(x, 1, 10)) AND is_time(substr(x, 12, 8)) "
        "THEN CAST(extract(epoch FROM CAST(substr(x, 1, 19) AS timestamp)) AS bigint) END",
    ),
    _function(
        "words_of(channel text)",
        "text[]",
        f"SELECT coalesce(array_agg(words[1] ORDER BY place), '{{}}') FROM {_WORDS}",
    ),
    _function(
        "is_direct(channel text, names text)",
        "boolean",
        """SELECT channel IS NOT NULL AND (CAST(names AS jsonb) ? channel OR (
            CAST(names AS jsonb) @> '["Direct", "Direct Traffic"]' AND jsonb_array_length(CAST(names AS jsonb)) = 2
            AND (array_to_string(words_of(channel), ' ') IN ('direct', 'direct traffic', 'direct none')
                OR lower(btrim(channel, E' \\t\\n\\r')) = '(none)')
        ))""",
    ),
    _function(
        "spelling(channel text)",
        "text",
        """SELECT CASE WHEN channel IS NOT NULL THEN coalesce(nullif((
            SELECT string_agg(
                CASE
                    WHEN word = 'branded' THEN 'brand'
                    WHEN word ~ '[^s]s$' AND (length(word) > 3 OR word = 'ads') THEN left(word, -1)
                    ELSE word
                END, '' ORDER BY place
            )
            FROM unnest(words_of(channel)) WITH ORDINALITY AS each (word, place)
            WHERE NOT (word = 'traffic' AND place > 1 AND place = array_length(words_of(channel), 1))
        ), ''), channel) END""",
    ),
)
"""The statements that make the functions in the schema of ours, which is searched first. `sum` of whole numbers stays whole.

`spelling` and `is_direct` know letters as the server's ICU does: what is one word in two cases may be two words there.
"""

OF_POSTGRES = hashlib.sha256("\n".join(FUNCTIONS).encode()).hexdigest()[:16]
"""What tells these functions from those of another version of this package."""
