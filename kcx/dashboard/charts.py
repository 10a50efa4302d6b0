"""The charts' data, as Chart.js takes them from django-unfold's canvases."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from kcx.dashboard.figures import Day

BYTE_UNITS = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
COUNT_UNITS = (("billions", 10**9), ("millions", 10**6), ("thousands", 10**3))
TIME_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60))


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars; `data` is Chart.js's, as JSON; `title` says what and in which unit."""

    title: str
    data: str


def rows_chart(days: list[Day]) -> Chart:
    """Rows ingested per day."""
    unit, size = _unit([day.rows for day in days], COUNT_UNITS, "ones")
    told = "" if size == 1 else f" ({unit})"
    return _chart(f"Rows ingested per day{told}", days, [day.rows / size for day in days])


def bytes_chart(days: list[Day]) -> Chart:
    """Bytes of the objects ingested per day."""
    unit, size = _unit([day.bytes for day in days], BYTE_UNITS, "B")
    return _chart(f"Bytes ingested per day ({unit})", days, [day.bytes / size for day in days])


def lag_chart(days: list[Day]) -> Chart:
    """Median time from AWS's delivery to its being current here; a gap where nothing was published."""
    lags = [day.lag_seconds for day in days]
    unit, size = _unit([lag or 0 for lag in lags], TIME_UNITS, "seconds")
    values = [None if lag is None else lag / size for lag in lags]
    return _chart(f"Median lag, from delivered to current ({unit})", days, values)


def _unit(values: list[float], units: Iterable[tuple[str, int]], smallest: str) -> tuple[str, int]:
    largest = max(values, default=0)
    return next(((unit, size) for unit, size in units if largest >= size), (smallest, 1))


def _chart(title: str, days: list[Day], values: list[float | None] | list[float]) -> Chart:
    dataset = {
        "label": title,
        "data": [None if value is None else round(value, 2) for value in values],
        "backgroundColor": "var(--color-primary-600)",
        "borderColor": "var(--color-primary-600)",
        "displayYAxis": True,
        "maxTicksXLimit": 8,
    }
    data = {"labels": [f"{day.day:%b %-d}" for day in days], "datasets": [dataset]}
    return Chart(title, json.dumps(data))
