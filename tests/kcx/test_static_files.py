"""What the pages load beside themselves, served from the packages as a deployed site does it."""

import pytest
from django.templatetags.static import static
from django.test import Client


@pytest.mark.parametrize("name", ["kcx/live_list.js", "unfold/css/styles.css"])
def test_files_of_kcx_and_of_its_libraries_are_served(settings, name: str) -> None:
    settings.WHITENOISE_AUTOREFRESH = False
    answer = Client().get(static(name))
    assert answer.status_code == 200
    assert len(b"".join(answer.streaming_content)) == int(answer["Content-Length"]) > 100
    assert Client().get(static("kcx/no-such-file.js")).status_code == 404
