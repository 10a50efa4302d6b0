"""How figures and times look on every page: bytes, counts, durations, and times with UTC on hover."""

from django import template

from ingestion.figures import bytes_text, count_text, duration_text
from ingestion.time_tag import time_tag

register = template.Library()
register.filter("time_tag", time_tag)
register.filter("bytes_text", bytes_text)
register.filter("duration_text", duration_text)
register.filter("count_text", count_text)
