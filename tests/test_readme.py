"""The README names every command and every setting: what it does not name, nobody finds."""

import re

from django.core.management import get_commands

from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
OURS = ("kcx", "ingestion", "billing")


def test_every_command_is_in_the_readme() -> None:
    ours = {name for name, app in get_commands().items() if str(app).startswith(OURS)}
    assert ours == {name for name in ours if f"| `{name}` |" in README}


def test_every_setting_read_from_the_environment_is_in_the_readme() -> None:
    settings = (REPOSITORY / "kcx" / "settings.py").read_text()
    names = set(re.findall(r"""env(?:\.\w+)?\(\s*"([A-Z_]+)\"""", settings))
    assert len(names) > 20
    assert names == {name for name in names if f"`{name}`" in README}
