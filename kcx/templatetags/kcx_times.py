"""The same times for templates that only need times: `{% load kcx_times %}`, then `value|time_tag`."""

from django import template

from ingestion.time_tag import time_tag

register = template.Library()
register.filter("time_tag", time_tag)
