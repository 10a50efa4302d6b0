"""Figures and times as pages show them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.template import Context, Template

from kcx.templatetags.kcx_format import bytes_text, count_text, duration_text, time_tag


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 B"),
        (1023, "1,023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1_610_612_736, "1.5 GiB"),
        (5 * 1024**6, "5,120.0 PiB"),
        (None, "–"),  # noqa: RUF001  # what is shown
    ],
)
def test_bytes_are_told_in_the_unit_a_person_would_choose(value: float | None, text: str) -> None:
    assert bytes_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (1_234_567, "1,234,567"), (None, "–")])  # noqa: RUF001
def test_counts_have_thousands_apart(value: float | None, text: str) -> None:
    assert count_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"),
        (0.4, "under 1 s"),
        (59.9, "59 s"),
        (125, "2 min 5 s"),
        (timedelta(hours=2), "2 h"),
        (timedelta(days=3, hours=4, minutes=5), "3 d 4 h"),
        (-5, "0 s"),
        (None, "–"),  # noqa: RUF001
    ],
)
def test_a_duration_has_two_parts_at_most(value: timedelta | float | None, text: str) -> None:
    assert duration_text(value) == text


def test_a_time_says_its_utc_on_hover_whatever_its_own_zone() -> None:
    element = time_tag(datetime(2026, 3, 1, 1, 30, 5, tzinfo=timezone(timedelta(hours=2))))
    assert 'datetime="2026-02-28T23:30:05Z"' in element
    assert 'title="2026-02-28 23:30:05 UTC"' in element
    assert ">2026-02-28 23:30 UTC</time>" in element


@pytest.mark.parametrize("library", ["kcx_format", "kcx_times"])
def test_a_template_shows_a_time_as_an_element_and_a_missing_one_as_a_dash(library: str) -> None:
    template = Template("{% load " + library + " %}{{ at|time_tag }} {{ never|time_tag }}")
    shown = template.render(Context({"at": datetime(2026, 1, 2, tzinfo=UTC), "never": None}))
    assert shown.startswith("<time class=")
    assert shown.endswith("</time> –")  # noqa: RUF001
