"""The embedded PostgreSQL: its list of users, which many processes keep at once."""

import json
import multiprocessing
import os
from pathlib import Path

import psutil
import pytest
from django.core.exceptions import ImproperlyConfigured

from kcx.embedded import server
from tests.crash.postgres import restart_server

TURNS = 300


def come_and_go(folder: Path) -> None:
    """What processes do that start and end: others' names are read and written back."""
    library = server.get_server(folder, start=False)
    for _ in range(TURNS):
        server.forget_dead_users(folder)
        with library._lock:
            library.global_process_id_list.get_and_add(os.getpid())
        with library._lock:
            library.global_process_id_list.get_and_remove(os.getpid())


def test_who_stays_is_not_forgotten_while_others_come_and_go(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    server.get_server(folder, start=False)
    (folder / server.USERS).write_text(json.dumps([os.getpid()]))
    spawn = multiprocessing.get_context("spawn")
    others = [spawn.Process(target=come_and_go, args=(folder,)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert json.loads((folder / server.USERS).read_text()) == [os.getpid()]


def test_a_folder_whose_socket_would_stand_where_everybody_reaches_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / "postgres"
    with pytest.raises(ImproperlyConfigured, match="KCX_DATA_DIR needs a shorter path"):
        server.running(folder)
    assert not folder.parent.exists()


def test_the_dead_are_forgotten(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    server.get_server(folder, start=False)
    dead = multiprocessing.get_context("spawn").Process(target=int)
    dead.start()
    dead.join()
    (folder / server.USERS).write_text(json.dumps([dead.pid, os.getpid()]))
    server.forget_dead_users(folder)
    assert json.loads((folder / server.USERS).read_text()) == [os.getpid()]


def test_a_server_that_was_restarted_since_is_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    first = server.running(folder).get_postmaster_info().process
    restart_server(folder)
    psutil.wait_procs([first], timeout=10)
    server.stop(folder)
    assert not (folder / "postmaster.pid").exists()
