"""The funnel's tables by hand: DuckDB from Parquet to Parquet, without checks or keys. `python funnel_by_hand.py FOLDER OUT`.

Prints its totals as JSON. What it must give is what sql/ gives where every event is sound.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import duckdb

TABLES = {
    "session_funnel": """
        WITH visit AS (
            SELECT session_id, min(created_at) AS first_event, max(created_at) AS last_event,
                arg_max(user_id, created_at) AS user_id, bool_or(event_type = 'page_view') AS viewed,
                bool_or(event_type = 'add_to_cart') AS added, bool_or(event_type = 'checkout') AS bought
            FROM events GROUP BY session_id
        ),
        placed AS (
            SELECT order_id, arg_min(session_id, (created_at, session_id)) AS session_id
            FROM events WHERE event_type = 'checkout' AND order_id <> '' GROUP BY order_id
        ),
        basket AS (
            SELECT session_id, count(*) AS orders, sum(revenue) AS revenue
            FROM placed LEFT JOIN conversions ON conv_id = order_id GROUP BY session_id
        )
        SELECT first_event[:10] AS date, visit.session_id, visit.user_id, channel_name AS channel,
            concat_ws(',', CASE WHEN viewed THEN 'page_view' END, CASE WHEN added THEN 'add_to_cart' END,
                CASE WHEN bought THEN 'checkout' END) AS steps,
            CASE WHEN bought THEN 3 WHEN added THEN 2 WHEN viewed THEN 1 ELSE 0 END AS furthest,
            first_event, last_event, coalesce(orders, 0) AS orders, revenue
        FROM visit LEFT JOIN basket USING (session_id) LEFT JOIN session_sources USING (session_id)
        ORDER BY date, session_id""",
    "funnel_report": """
        WITH counted AS (
            SELECT date, coalesce(channel, '(unknown)') AS channel, count(*) AS sessions, list_value(
                {step: 'page_view', position: 1,
                    reached: count(*) FILTER (steps LIKE '%page_view%'), level: count(*) FILTER (furthest >= 1)},
                {step: 'add_to_cart', position: 2,
                    reached: count(*) FILTER (steps LIKE '%add_to_cart%'), level: count(*) FILTER (furthest >= 2)},
                {step: 'checkout', position: 3,
                    reached: count(*) FILTER (steps LIKE '%checkout%'), level: count(*) FILTER (furthest >= 3)}) AS steps
            FROM session_funnel GROUP BY ALL
        ),
        step AS (SELECT date, channel, sessions, unnest(steps, recursive := true) FROM counted)
        SELECT *, reached / sessions AS rate, level / sessions AS level_rate,
            1 - level / nullif(coalesce(lag(level) OVER of_channel, sessions), 0) AS drop_off
        FROM step WINDOW of_channel AS (PARTITION BY date, channel ORDER BY position)
        ORDER BY date, channel, position""",
    "product_funnel": """
        WITH deed AS (
            SELECT DISTINCT session_id, product_id, CASE event_type WHEN 'page_view' THEN 1 ELSE 2 END AS what
            FROM events WHERE event_type IN ('page_view', 'add_to_cart') AND product_id <> ''
            UNION ALL
            SELECT DISTINCT session_id, order_items.product_id, 3
            FROM events JOIN order_items USING (order_id) WHERE event_type = 'checkout'
        )
        SELECT date, product_id, any_value(name) AS name, count(*) FILTER (what = 1) AS viewed,
            count(*) FILTER (what = 2) AS added, count(*) FILTER (what = 3) AS bought, bought / nullif(viewed, 0) AS conversion
        FROM deed JOIN session_funnel USING (session_id) LEFT JOIN products USING (product_id)
        GROUP BY ALL ORDER BY ALL""",
    "customer_report": """
        WITH first_visit AS (
            SELECT user_id, min(began_at) AS began_at FROM (
                SELECT user_id, min(created_at) AS began_at FROM events SEMI JOIN conversions USING (user_id) GROUP BY user_id
                UNION ALL
                SELECT user_id, min(event_date || ' ' || event_time) FROM session_sources SEMI JOIN conversions USING (user_id)
                GROUP BY user_id)
            GROUP BY user_id
        ),
        timed AS (
            SELECT conv_date AS date, revenue, user_id, conv_date = min(conv_date) OVER (PARTITION BY user_id) AS is_new,
                CASE WHEN began_at <= conv_date || ' ' || conv_time
                    THEN epoch((conv_date || ' ' || conv_time)::timestamp - began_at::timestamp) / 3600 END AS hours
            FROM conversions LEFT JOIN first_visit USING (user_id)
        )
        SELECT date, count(*) AS orders, sum(revenue) AS revenue, count(DISTINCT user_id) AS buyers,
            count(DISTINCT user_id) FILTER (is_new) AS new_buyers,
            count(DISTINCT user_id) FILTER (NOT is_new) AS returning_buyers, returning_buyers / buyers AS repeat_rate,
            count(hours) AS orders_with_session, avg(hours) AS hours_to_order,
            count(hours) FILTER (is_new) AS first_orders_with_session, avg(hours) FILTER (is_new) AS hours_to_first_order
        FROM timed GROUP BY ALL ORDER BY ALL""",
}

TOTALS = {
    "session_funnel": "count(*), sum(furthest), sum(orders), sum(revenue)",
    "funnel_report": "count(*), sum(sessions), sum(reached), sum(level), sum(drop_off)",
    "product_funnel": "count(*), sum(viewed), sum(added), sum(bought), sum(conversion)",
    "customer_report": "sum(orders), sum(revenue), sum(new_buyers), sum(repeat_rate), sum(hours_to_order)",
}
"""What must be the same, whoever computes the tables."""


def compute(folder: Path, out: Path) -> dict[str, list[float]]:
    """Writes the tables from the Parquet files of one folder into those of another."""
    with duckdb.connect() as connection:
        for file in folder.glob("*.parquet"):
            connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
        for name, select in TABLES.items():
            connection.execute(f"COPY ({select}) TO '{out / name}.parquet' (FORMAT parquet)")
            connection.execute(f"CREATE VIEW {name} AS FROM '{out / name}.parquet'")
        return {name: list(connection.sql(f"SELECT {sums} FROM {name}").fetchall()[0]) for name, sums in TOTALS.items()}


if __name__ == "__main__":
    print(json.dumps(compute(Path(sys.argv[1]), Path(sys.argv[2])), default=float))
