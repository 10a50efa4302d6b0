"""What a saved form changed, for the record of people's actions."""

from typing import Any


def changes(form: Any, names: list[str]) -> dict[str, dict[str, str]]:
    """What a form changed in the fields of these names, as text: before and after."""
    return {
        name: {"before": str(form.initial.get(name, "")), "after": str(form.cleaned_data[name])}
        for name in names
    }
