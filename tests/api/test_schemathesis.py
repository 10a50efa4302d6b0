"""The API keeps to its description: Schemathesis tries it on a live server, with a scoped token."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.servers.basehttp import WSGIRequestHandler
from django.utils import timezone

from kcx.api import cursors
from kcx.api.downloads import PIN
from kcx.api.selecting import pin_of, selection_of
from kcx.api.urls import router
from tests.api.asking import of_clients
from tests.api.world import World, a_world

MARCH = {"period": "2026-03-01"}


def cursor(prefix: str, one: Any) -> str:
    return cursors.encode(f"{prefix} {one.pk}", [pin_of(selection_of(one, MARCH), MARCH), [0, 0]])


def pin(prefix: str, one: Any) -> str:
    return cursors.encode(f"{PIN} {prefix} {one.pk}", pin_of(selection_of(one, MARCH), MARCH))


def configuration(world: World) -> str:
    """Members that exist, and cursors: no description can say which texts KCX has signed."""
    below = "".join(
        f'[[operations]]\ninclude-path = "/api/v1/{prefix}/{{id}}/{name}/"\n'
        f'parameters = {{ "path.id" = {one.pk}, "query.columns" = "a", "query.period" = "2026-03",'
        f' "query.as_of" = "{timezone.now():%Y-%m-%dT%H:%M:%SZ}", "query.cursor" = "{cursor(prefix, one)}",'
        f' "query.pin" = "{pin(prefix, one)}" }}\n'
        for prefix, one in (
            ("files", world.file),
            ("deliveries", world.current),
            ("exports", world.export),
        )
        for name in ("rows", "download", "receipt")
    )
    return below + "".join(
        f'[[operations]]\ninclude-path = "/api/v1/{prefix}/"\n'
        f'parameters = {{ "query.cursor" = "{cursors.encode(name, 0)}" }}\n'
        f'[[operations]]\ninclude-path = "/api/v1/{prefix}/{{id}}/"\n'
        f'parameters = {{ "path.id" = {min(world.ids[prefix])} }}\n'
        for prefix, _, name in router.registry
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("raw_database")
def test_the_api_is_as_it_is_described(
    settings: Any, monkeypatch: pytest.MonkeyPatch, live_server: Any, tmp_path: Path
) -> None:
    settings.SECURE_SSL_REDIRECT = False
    settings.KCX_API_REQUESTS_PER_MINUTE = 10**6
    # The head and the body of an answer are two packets: the second waits 40 ms, some thousand times.
    monkeypatch.setattr(WSGIRequestHandler, "disable_nagle_algorithm", True)
    cache.clear()
    one, _other = a_world(), a_world()
    (tmp_path / "schemathesis.toml").write_text(configuration(one))
    program = Path(sys.executable).parent / "schemathesis"
    secret = of_clients(one.connection.client).secret
    ran = subprocess.run(
        [
            *(
                program,
                "run",
                f"{live_server.url}/api/v1/schema/",
                "--header",
                f"Authorization: Token {secret}",
            ),
            *("--phases", "examples,coverage,fuzzing", "--checks", "all", "--max-examples", "4"),
            *("--seed", "1", "--workers", "2", "--request-timeout", "20", "--generation-database", "none"),
        ],
        capture_output=True,
        cwd=tmp_path,
        text=True,
        timeout=400,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    operations = re.search(r"(\d+) selected / \1 total", ran.stdout)
    assert operations, ran.stdout
    assert int(operations[1]) >= 2 * len(router.registry)
    assert "repeatedly returned 404" not in ran.stdout, ran.stdout
