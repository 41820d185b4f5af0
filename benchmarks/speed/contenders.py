"""What others do for the same report: whole processes, `python contenders.py NAME FOLDER`, that print their figures as JSON.

All credit linearly, with a lookback of 30 days, and read the Parquet files in FOLDER, but `sqlite` and `read_sql`, which read
the database beside it. `duckdb` and `duckdb_one_day` also write every table that the pipeline writes, as Parquet; others none.
`read_sql` does less than they: journeys only, as the fastest of ten public pipelines over these tables builds them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

LOOKBACK_DAYS = 30

JOURNEYS = """
    SELECT conv_id, session_id, conv_date, event_date || ' ' || event_time AS timestamp, channel_name AS channel_label,
        holder_engagement, closer_engagement, impression_interaction,
        row_number() OVER (PARTITION BY conv_id ORDER BY event_date DESC, event_time DESC, session_id DESC) = 1 AS conversion
    FROM conversions
    JOIN session_sources USING (user_id)
    WHERE {days}
      AND event_date >= strftime(CAST(conv_date AS date) - 30, '%Y-%m-%d')
      AND (event_date, event_time) < (conv_date, conv_time)
"""
RESULTS = "SELECT conv_id, session_id, conv_date, 1.0 / count(*) OVER (PARTITION BY conv_id) AS ihc FROM {journeys}"
SHARES = "SELECT conv_id, session_id, ihc / sum(ihc) OVER (PARTITION BY conv_id) AS ihc, conv_date FROM {results}"
COSTS = """
    SELECT event_date AS date, channel_name, count(*) AS sessions, coalesce(sum(cost), 0) AS cost
    FROM session_sources LEFT JOIN session_costs USING (session_id)
    WHERE {days}
    GROUP BY ALL
"""
REPORT = """
    WITH ledger AS (
        SELECT channel_name, date, cost, 0.0::double AS ihc, 0.0::double AS ihc_revenue FROM {costs}
        UNION ALL
        SELECT channel_label, timestamp[:10], 0, share.ihc, share.ihc * revenue
        FROM {shares} AS share
        JOIN {journeys} USING (conv_id, session_id)
        JOIN conversions USING (conv_id)
    )
    SELECT channel_name, date, sum(cost) AS cost, sum(ihc) AS ihc, sum(ihc_revenue) AS ihc_revenue
    FROM ledger WHERE {days} GROUP BY ALL ORDER BY date, channel_name
"""


def duckdb(folder: Path) -> dict[str, float]:
    """DuckDB from Parquet to Parquet, written by hand: the limit."""
    import duckdb

    out = folder / "out"
    out.mkdir(exist_ok=True)
    with duckdb.connect() as connection:
        for name in ("session_sources", "session_costs", "conversions"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder / name}.parquet'")

        def write(name: str, select: str) -> None:
            connection.execute(f"COPY ({select}) TO '{out / name}.parquet' (FORMAT parquet)")
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{out / name}.parquet'")

        write("customer_journeys", JOURNEYS.format(days="TRUE"))
        write("ihc_results", RESULTS.format(journeys="customer_journeys"))
        write("attribution_customer_journey", SHARES.format(results="ihc_results"))
        write("channel_costs", COSTS.format(days="TRUE"))
        tables = {"costs": "channel_costs", "shares": "attribution_customer_journey", "journeys": "customer_journeys"}
        write("channel_reporting", REPORT.format(days="TRUE", **tables))
        return _figures(*connection.execute(FIGURES).fetchone())


FIGURES = """
    SELECT (SELECT count(*) FROM customer_journeys), (SELECT sum(cost) FROM channel_reporting),
        (SELECT sum(ihc) FROM channel_reporting), (SELECT sum(ihc_revenue) FROM channel_reporting)
"""


def duckdb_one_day(folder: Path) -> dict[str, float]:
    """DuckDB on the last day alone and the 31 reports that it touches, on top of what `duckdb` has written."""
    import duckdb

    out = folder / "out"
    with duckdb.connect() as connection:
        for name in ("session_sources", "session_costs", "conversions"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{folder / name}.parquet'")
        [(day,)] = connection.execute("SELECT max(conv_date) FROM conversions").fetchall()

        def write(name: str, select: str) -> None:
            connection.execute(f"COPY ({select}) TO '{out / name}.day.parquet' (FORMAT parquet)")

        def all_days(name: str, column: str) -> str:
            older = f"SELECT * FROM '{out / name}.parquet' WHERE {column} < '{day}'"
            return f"({older} UNION ALL BY NAME SELECT * FROM '{out / name}.day.parquet')"

        write("customer_journeys", JOURNEYS.format(days=f"conv_date = '{day}'"))
        write("ihc_results", RESULTS.format(journeys=f"'{out}/customer_journeys.day.parquet'"))
        write("attribution_customer_journey", SHARES.format(results=f"'{out}/ihc_results.day.parquet'"))
        write("channel_costs", COSTS.format(days=f"event_date = '{day}'"))
        select = REPORT.format(
            costs=all_days("channel_costs", "date"),
            shares=all_days("attribution_customer_journey", "conv_date"),
            journeys=all_days("customer_journeys", "conv_date"),
            days=f"date >= strftime(DATE '{day}' - {LOOKBACK_DAYS}, '%Y-%m-%d')",
        )
        write("channel_reporting", select)
        sums = "sum(cost), sum(ihc), sum(ihc_revenue)"
        [figures] = connection.execute(f"SELECT count(*), {sums} FROM '{out}/channel_reporting.day.parquet'").fetchall()
        return _figures(*figures)


def polars(folder: Path) -> dict[str, float]:
    """Polars, lazily."""
    import polars as pl

    sessions = pl.scan_parquet(folder / "session_sources.parquet")
    costs = pl.scan_parquet(folder / "session_costs.parquet")
    conversions = pl.scan_parquet(folder / "conversions.parquet")
    start = (pl.col("conv_date").str.to_date() - pl.duration(days=LOOKBACK_DAYS)).dt.to_string("%Y-%m-%d")
    journeys = (
        sessions.join(conversions.with_columns(start=start), on="user_id")
        .filter(
            pl.col("event_date") >= pl.col("start"),
            pl.col("event_date") + pl.col("event_time") < pl.col("conv_date") + pl.col("conv_time"),
        )
        .with_columns(ihc=1 / pl.len().over("conv_id"))
        .group_by("channel_name", "event_date")
        .agg(rows=pl.len(), ihc=pl.sum("ihc"), ihc_revenue=(pl.col("ihc") * pl.col("revenue")).sum())
    )
    spent = sessions.join(costs, on="session_id", how="left").group_by("channel_name", "event_date").agg(cost=pl.sum("cost"))
    report = spent.join(journeys, on=["channel_name", "event_date"], how="left").collect()
    return _figures(*(report[column].sum() for column in ("rows", "cost", "ihc", "ihc_revenue")))


def pandas(folder: Path) -> dict[str, float]:
    """pandas, with merges."""
    import pandas as pd

    sessions = pd.read_parquet(
        folder / "session_sources.parquet", columns=["session_id", "user_id", "event_date", "event_time", "channel_name"]
    )
    conversions = pd.read_parquet(folder / "conversions.parquet")
    conversions["start"] = (pd.to_datetime(conversions["conv_date"]) - pd.Timedelta(days=LOOKBACK_DAYS)).dt.strftime("%Y-%m-%d")
    journeys = sessions.merge(conversions, on="user_id")
    before = journeys["event_date"] + journeys["event_time"] < journeys["conv_date"] + journeys["conv_time"]
    journeys = journeys[(journeys["event_date"] >= journeys["start"]) & before]
    journeys = journeys.assign(ihc=1 / journeys.groupby("conv_id")["session_id"].transform("size"))
    journeys["ihc_revenue"] = journeys["ihc"] * journeys["revenue"]
    costs = pd.read_parquet(folder / "session_costs.parquet")
    spent = sessions.merge(costs, on="session_id", how="left").groupby(["channel_name", "event_date"])["cost"].sum()
    credited = journeys.groupby(["channel_name", "event_date"])[["ihc", "ihc_revenue"]].sum()
    report = spent.to_frame().join(credited, how="left").fillna(0)
    return _figures(len(journeys), *report[["cost", "ihc", "ihc_revenue"]].sum())


def sqlite(folder: Path) -> dict[str, float]:
    """SQLite's own SQL, with an index on user and time, and the costs looked up by session."""
    with closing(sqlite3.connect(folder.with_suffix(".db"))) as connection:
        connection.execute("PRAGMA cache_size = -65536")
        connection.execute(
            f"""
            CREATE TEMP TABLE journey AS
            SELECT conv_id, session_id, event_date, channel_name, revenue, 1.0 / count(*) OVER (PARTITION BY conv_id) AS ihc
            FROM conversions
            CROSS JOIN session_sources AS session
            WHERE session.user_id = conversions.user_id
              AND event_date BETWEEN date(conv_date, '-{LOOKBACK_DAYS} days') AND conv_date
              AND (event_date, event_time) < (conv_date, conv_time)
            """
        )
        connection.execute(
            """
            CREATE TEMP TABLE report AS
            SELECT channel_name, event_date, sum(cost) AS cost, sum(ihc) AS ihc, sum(ihc_revenue) AS ihc_revenue
            FROM (
                SELECT channel_name, event_date, cost, 0 AS ihc, 0 AS ihc_revenue
                FROM session_sources LEFT JOIN session_costs USING (session_id)
                UNION ALL
                SELECT channel_name, event_date, 0, ihc, ihc * revenue FROM journey
            )
            GROUP BY channel_name, event_date
            """
        )
        rows = "(SELECT count(*) FROM journey)"
        [figures] = connection.execute(f"SELECT {rows}, sum(cost), sum(ihc), sum(ihc_revenue) FROM report").fetchall()
        return _figures(*figures)


def read_sql(folder: Path) -> dict[str, float]:
    """Journeys alone, in memory: pandas.read_sql, all sessions of a user merged to each of their conversions, filtered."""
    import pandas as pd

    with closing(sqlite3.connect(folder.with_suffix(".db"))) as connection:
        sessions = pd.read_sql("SELECT * FROM session_sources", connection)
        conversions = pd.read_sql("SELECT * FROM conversions", connection)
    sessions["timestamp"] = pd.to_datetime(sessions["event_date"] + " " + sessions["event_time"])
    conversions["conv_timestamp"] = pd.to_datetime(conversions["conv_date"] + " " + conversions["conv_time"])
    journeys = conversions.merge(sessions, on="user_id")
    reach = journeys["conv_timestamp"].dt.normalize() - journeys["timestamp"].dt.normalize()
    before = journeys["timestamp"] < journeys["conv_timestamp"]
    journeys = journeys[before & (reach <= pd.Timedelta(days=LOOKBACK_DAYS))].sort_values(["conv_id", "timestamp"])
    return {"rows": len(journeys)}


def _figures(rows: int, cost: float, orders: float, revenue: float) -> dict[str, float]:
    return {"rows": int(rows), "cost": float(cost), "orders": float(orders), "revenue": float(revenue)}


if __name__ == "__main__":
    contender = {f.__name__: f for f in (duckdb, duckdb_one_day, polars, pandas, sqlite, read_sql)}[sys.argv[1]]
    print(json.dumps(contender(Path(sys.argv[2]))))
