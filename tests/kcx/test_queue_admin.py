"""The queue's pages: to read by, and nothing a reader opens can run code."""

import base64
import pickle
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client as Browser
from django.utils import timezone
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from django_q.tasks import async_task

from ingestion.models import Worker
from ingestion.schedules import TICK
from kcx.queue_admin import plain_result

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("raw_database")]

PAGES = ["schedule", "success", "failure", "ormq"]


class Bomb:
    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> Any:
        return Path.touch, (self.crater,)


@pytest.fixture
def reader() -> Browser:
    """May look at everything of the queue."""
    user = User.objects.create_user("reader", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    browser = Browser()
    browser.force_login(user)
    return browser


@pytest.fixture
def chief() -> Browser:
    browser = Browser()
    browser.force_login(User.objects.create_superuser("chief"))
    return browser


def a_task(*, success: bool, result: object) -> Task:
    now = timezone.now()
    values = {"func": "ingestion.tasks.load", "started": now, "stopped": now, "attempt_count": 1}
    return Task.objects.create(id="a" * 32, name="load file 1", success=success, result=result, **values)


def text(browser: Browser, path: str) -> str:
    answer = browser.get(f"/admin/django_q/{path}", secure=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_failed_tasks_page_shows_what_went_wrong(reader: Browser) -> None:
    task = a_task(success=False, result="DatabaseUnavailable : <b>no</b> route")
    assert "load file 1" in text(reader, "failure/")
    assert "DatabaseUnavailable : &lt;b&gt;no&lt;/b&gt; route" in text(reader, f"failure/{task.pk}/change/")


def test_a_pickle_that_names_code_is_never_run(reader: Browser, tmp_path: Path) -> None:
    task = a_task(success=True, result=None)
    crater = tmp_path / "crater"
    bomb = base64.b64encode(pickle.dumps(Bomb(crater))).decode()
    with connection.cursor() as cursor:
        for column in ("args", "kwargs", "result"):
            cursor.execute(f"UPDATE django_q_task SET {column} = %s", [bomb])
    text(reader, "success/")
    assert "(not shown: names pathlib" in text(reader, f"success/{task.pk}/change/")
    assert not crater.exists()
    pickle.loads(base64.b64decode(bomb))  # noqa: S301  # the test's own
    assert crater.exists(), "the bomb does go off where it is unpickled"


@pytest.mark.parametrize("pickled", ["", "not base64!", "AAAA", base64.b64encode(b"\x80\x05").decode()])
def test_a_result_that_cannot_be_read_is_said_to_be_so(pickled: str) -> None:
    assert plain_result(pickled).startswith("(not shown: ")


@pytest.mark.parametrize("page", PAGES)
def test_nobody_adds_changes_deletes_or_resubmits(chief: Browser, page: str) -> None:
    task = a_task(success=page == "success", result="x")
    async_task("ingestion.tasks.tick")
    one = {"schedule": Schedule, "ormq": OrmQ, "success": Success, "failure": Failure}[page].objects.first()
    assert one
    chosen = {"_selected_action": [one.pk]}
    before = (OrmQ.objects.count(), Schedule.objects.count(), Task.objects.count())
    for action in ("resubmit_task", "delete_selected"):
        chief.post(f"/admin/django_q/{page}/", {"action": action, **chosen}, secure=True)
    assert chief.get(f"/admin/django_q/{page}/add/", secure=True).status_code == 403
    assert chief.post(f"/admin/django_q/{page}/{one.pk}/change/", {}, secure=True).status_code == 403
    assert (
        chief.post(f"/admin/django_q/{page}/{one.pk}/delete/", {"post": "yes"}, secure=True).status_code
        == 403
    )
    assert (OrmQ.objects.count(), Schedule.objects.count(), Task.objects.count()) == before
    assert Task.objects.filter(pk=task.pk).exists()
    assert "resubmit" not in text(chief, f"{page}/").lower()


def test_the_schedules_and_the_queue_are_listed(reader: Browser) -> None:
    async_task("ingestion.tasks.load", 7, task_name="load file 7")
    assert "load file 7" in text(reader, "ormq/")
    assert "ingestion.tasks.sweep" in text(reader, "schedule/")


def test_the_workers_health_is_told_by_their_signs_of_life(client: Browser) -> None:
    def status() -> int:
        return client.get("/healthz/worker", secure=True).status_code

    Schedule.objects.filter(name=TICK).update(next_run=timezone.now())
    assert status() == 503
    worker = Worker.objects.create(name="host:1", seen_at=timezone.now(), begun_at=timezone.now())
    assert status() == 200
    Worker.objects.update(begun_at="2026-01-01T00:00:00Z")
    assert status() == 503, "it is there, and takes no task"
    Worker.objects.update(begun_at=timezone.now())
    Schedule.objects.filter(name=TICK).update(next_run=timezone.now() - timedelta(hours=1))
    assert status() == 503, "it takes tasks, and no schedule runs"
    Schedule.objects.filter(name=TICK).update(next_run=timezone.now())
    assert status() == 200
    Worker.objects.update(begun_at=timezone.now(), stopped_at=timezone.now())
    assert status() == 503
    assert worker.restarts == 0
