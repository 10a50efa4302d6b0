"""A webhook is signed, tried again with growing pauses, and given up in the end."""

import base64
import hashlib
import hmac
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django_q.models import OrmQ

from ingestion import tasks
from ingestion.events import endpoints, posting, queue
from ingestion.events.outbox import record, record_test
from ingestion.events.queue import OF_ONE
from ingestion.events.sending import PAUSES, give_up_old, send
from ingestion.events.signing import secret_of
from ingestion.models import Event, StaffAction, WebhookDelivery, WebhookEndpoint, WebhookMessage
from tests.ingestion.events.conftest import LOOPBACK, Hook, an_endpoint
from tests.ingestion.events.receiver import Request
from tests.kcx.situations import a_connection
from tests.waiting import until


def by_hand(secret: str, request: Request) -> str:
    """The signature a receiver computes for itself, from the convention alone."""
    key = base64.b64decode(secret.split("_")[1])
    signed = b".".join(
        [request.headers["webhook-id"].encode(), request.headers["webhook-timestamp"].encode(), request.body]
    )
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def tried(message: WebhookMessage) -> WebhookDelivery:
    """Try it now, whatever its pause."""
    WebhookMessage.objects.filter(pk=message.pk, status="WAITING").update(next_try_at=timezone.now())
    WebhookEndpoint.objects.update(rests_until=None)
    delivery = send(message.pk)
    assert delivery is not None
    message.refresh_from_db()
    return delivery


def test_a_webhook_is_signed_and_tells_the_event(hook: Hook) -> None:
    message = record_test(hook.endpoint)
    delivery = tried(message)
    (request,) = hook.receiver.requests
    assert (message.status, delivery.status_code, delivery.error_code) == ("DELIVERED", 204, "")
    assert request.path == "/hook?of=kcx"
    assert request.headers["host"] == f"127.0.0.1:{hook.receiver.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-signature"] == by_hand(hook.secret, request)
    age = timezone.now().timestamp() - int(request.headers["webhook-timestamp"])
    assert 0 <= age < 60
    body = json.loads(request.body)
    assert (body["id"], body["type"]) == (request.headers["webhook-id"], "test")
    assert body["id"] == str(message.event.uid)
    assert datetime.fromisoformat(body["timestamp"]) == message.event.occurred_at


def test_it_is_tried_again_after_an_error_with_the_same_id_and_body(hook: Hook) -> None:
    hook.receiver.will(500, b"out of \x00 order \xff" + b"x" * 1000)
    message = record_test(hook.endpoint)
    delivery = tried(message)
    assert (delivery.status_code, delivery.error_code) == (500, "webhook_refused")
    assert delivery.answer == "out of \ufffd order \ufffd" + "x" * (200 - len("out of 0 order 0"))
    assert message.status == "WAITING"
    assert timedelta(seconds=50) < message.next_try_at - timezone.now() <= PAUSES[0]
    tried(message)
    first, second = hook.receiver.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (message.status, message.tries) == ("DELIVERED", 2)
    assert WebhookDelivery.objects.count() == 2


def test_the_pauses_grow_to_about_three_days_and_then_it_is_given_up(hook: Hook) -> None:
    message = record_test(hook.endpoint)
    pauses = []
    for _ in PAUSES:
        hook.receiver.will(503)
        tried(message)
        pauses.append(message.next_try_at - timezone.now())
    assert pauses == sorted(pauses)
    assert timedelta(days=3) < sum(pauses, timedelta()) < timedelta(days=3.5)
    hook.receiver.will(503)
    tried(message)
    assert (message.status, message.reason) == ("GIVEN_UP", "The receiver answered 503.")
    assert send(message.pk) is None


def test_a_redirect_is_not_followed(hook: Hook) -> None:
    hook.receiver.will(307, Location="/elsewhere")
    delivery = tried(record_test(hook.endpoint))
    assert delivery.error_message == "The receiver answered 307. Redirects are not followed."
    assert [request.path for request in hook.receiver.requests] == ["/hook?of=kcx"]


def test_a_receiver_that_says_nothing_and_one_that_dribbles_are_cut_off(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "WHOLE_SECONDS", 0.5)

    def dribble(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        try:
            for number in range(10_000):
                handler.wfile.write(b"X-%d: a\r\n" % number if number < 50 else b"")
                handler.connection.settimeout(0.05)
                try:
                    if handler.connection.recv(1) == b"":
                        return
                except TimeoutError:
                    continue
        except OSError:
            return

    hook.receiver.answers.append(dribble)
    delivery = tried(record_test(hook.endpoint))
    assert (delivery.error_code, delivery.error_message) == (
        "webhook_unanswered",
        "127.0.0.1 took too long.",
    )
    assert 0.4 < delivery.seconds < 5
    monkeypatch.setattr(posting, "WHOLE_SECONDS", 60.0)
    monkeypatch.setattr(posting, "SILENCE_SECONDS", 0.3)
    hook.receiver.answers.append(lambda handler: handler.connection.recv(1))
    assert tried(record_test(hook.endpoint)).error_message == "127.0.0.1 took too long."


def dribbling(listener: socket.socket) -> None:
    """Lets a connection in only once its time is over, then sends a line now and then, as long as it may."""
    until(timers, "the exchange has begun")
    until(lambda: not timers(), "its time is over")
    with listener.accept()[0], listener.accept()[0] as wire, suppress(OSError):
        wire.settimeout(0.1)
        wire.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(90):
            with suppress(TimeoutError):
                while wire.recv(1000):
                    pass
                return
            wire.sendall(b"X: a\r\n")


def timers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_time_may_be_over_while_an_address_is_being_connected(
    db: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.KCX_WEBHOOK_NETWORKS = [LOOPBACK]
    monkeypatch.setattr(posting, "WHOLE_SECONDS", 0.9)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ThreadPoolExecutor(1) as pool:
        port = listener.getsockname()[1]
        settings.KCX_WEBHOOK_HOSTS = [f"http://127.0.0.1:{port}"]
        # One that nobody takes: the kernel makes the next wait, and it tries again after a second.
        with socket.create_connection(("127.0.0.1", port)):
            ends = pool.submit(dribbling, listener)
            delivery = tried(record_test(an_endpoint(f"http://127.0.0.1:{port}/")))
            ends.result()
    assert delivery.error_message == "127.0.0.1 took too long."
    assert delivery.seconds < 5


def test_a_receiver_that_is_not_there_is_unanswered(hook: Hook, settings: Any) -> None:
    settings.KCX_WEBHOOK_HOSTS = ["http://127.0.0.1:1"]
    endpoint = an_endpoint("http://127.0.0.1:1/secret-path?token=hidden")
    delivery = tried(record_test(endpoint))
    assert delivery.error_message == "127.0.0.1 could not be reached: Connection refused."
    assert delivery.status_code is None


def test_gone_disables_the_endpoint(hook: Hook) -> None:
    hook.receiver.will(410)
    message = record_test(hook.endpoint)
    tried(message)
    hook.endpoint.refresh_from_db()
    assert (message.status, hook.endpoint.enabled) == ("GIVEN_UP", False)
    assert hook.endpoint.disabled_reason == "Its receiver answered 410: it wants no more."
    assert StaffAction.objects.filter(action="disable webhook").count() == 1


def test_while_an_endpoint_rests_its_other_messages_wait(hook: Hook) -> None:
    first, second = record_test(hook.endpoint), record_test(hook.endpoint)
    hook.receiver.will(500)
    send(first.pk)
    assert send(second.pk) is None
    tried(second)
    assert len(hook.receiver.requests) == 2


def test_two_secrets_sign_for_a_day_after_a_new_one_is_made(hook: Hook) -> None:
    new = endpoints.rotate(hook.endpoint.pk, hook.endpoint.fingerprint, "Olga")
    assert new is not None
    assert endpoints.rotate(hook.endpoint.pk, hook.endpoint.fingerprint, "Olga") is None, "sent twice"
    tried(record_test(hook.endpoint))
    (request,) = hook.receiver.requests
    assert request.headers["webhook-signature"].split() == [
        by_hand(new, request),
        by_hand(hook.secret, request),
    ]
    WebhookEndpoint.objects.update(former_until=timezone.now())
    tried(record_test(hook.endpoint))
    assert hook.receiver.requests[1].headers["webhook-signature"] == by_hand(new, hook.receiver.requests[1])


def test_a_form_that_is_saved_late_undoes_neither_a_new_secret_nor_what_a_worker_wrote(hook: Hook) -> None:
    late = WebhookEndpoint.objects.get()
    new = endpoints.rotate(hook.endpoint.pk, hook.endpoint.fingerprint, "Olga")
    assert new is not None
    hook.receiver.will(500)
    send(record_test(hook.endpoint).pk)
    late.name = "renamed"
    endpoints.save(late, "Omar", {})
    stored = WebhookEndpoint.objects.get()
    assert stored.name == "renamed"
    assert secret_of(stored.seed, stored.fingerprint) == new
    assert stored.rests_until is not None


def test_a_secret_outlives_djangos_key_while_that_is_a_fallback(hook: Hook, settings: Any) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    tried(record_test(hook.endpoint))
    assert hook.receiver.requests[0].headers["webhook-signature"] == by_hand(
        hook.secret, hook.receiver.requests[0]
    )
    settings.SECRET_KEY_FALLBACKS = []
    delivery = tried(record_test(hook.endpoint))
    assert delivery.error_code == "webhook_unsigned"
    assert len(hook.receiver.requests) == 1
    new = endpoints.rotate(hook.endpoint.pk, hook.endpoint.fingerprint, "Olga")
    assert new is not None
    assert tried(record_test(hook.endpoint)).status_code == 204, (
        "as the error says: a new secret helps at once"
    )
    assert hook.receiver.requests[1].headers["webhook-signature"] == by_hand(new, hook.receiver.requests[1])


def test_the_secret_is_nowhere_in_the_database_or_the_log(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    hook.receiver.will(500)
    tried(record_test(hook.endpoint))
    new = endpoints.rotate(hook.endpoint.pk, hook.endpoint.fingerprint, "Olga")
    assert new is not None
    assert new != hook.secret
    stored = json.dumps(
        [list(model.objects.values()) for model in (WebhookEndpoint, WebhookDelivery, StaffAction, Event)],
        default=str,
    )
    for secret in (new, hook.secret):
        key = secret.removeprefix("whsec_")
        for form in (key, base64.b64decode(key).hex()):
            assert form not in stored
            assert form not in caplog.text


def test_a_message_is_sent_once_more_when_staff_ask(hook: Hook) -> None:
    message = record_test(hook.endpoint)
    tried(message)
    assert endpoints.redeliver(WebhookMessage.objects.all(), "Olga") == 1
    assert endpoints.redeliver(WebhookMessage.objects.all(), "Olga") == 0, "it waits already"
    tried(message)
    first, second = hook.receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert StaffAction.objects.get(action="redeliver webhook").actor == "Olga"


def test_what_waits_for_too_long_is_given_up(hook: Hook) -> None:
    old, young = record_test(hook.endpoint), record_test(hook.endpoint)
    WebhookMessage.objects.filter(pk=old.pk).update(waiting_since=timezone.now() - timedelta(days=4))
    assert give_up_old() == 1
    statuses = dict(WebhookMessage.objects.values_list("pk", "status"))
    assert statuses == {old.pk: "GIVEN_UP", young.pk: "WAITING"}


@pytest.mark.django_db(transaction=True, databases=["default", "progress"])
class TestInTheQueue:
    """With real commits."""

    def test_an_event_rings_the_doorbell_of_those_who_want_it(self, hook: Hook, raw_database: None) -> None:
        mine, other = a_connection(), a_connection()
        an_endpoint("https://a/", client=other.client)
        an_endpoint("https://b/", kinds=["delivery.late"])
        an_endpoint("https://c/", enabled=False)
        wanted = [hook.endpoint, an_endpoint("https://d/", client=mine.client, kinds=["access.lost"])]
        event = record(Event.Kind.ACCESS_LOST, "check 1", mine, {})
        assert event is not None
        assert {message.endpoint for message in event.messages.all()} == set(wanted)
        queued = {entry.task["args"] for entry in OrmQ.objects.all()}
        assert queued == {(message.pk,) for message in event.messages.all()}
        tasks.sweep()
        tasks.sweep()
        assert OrmQ.objects.count() == 2, "queued once"
        message = event.messages.get(endpoint=hook.endpoint)
        tasks.send_webhook(message.pk)
        tasks.send_webhook(message.pk)
        assert len(hook.receiver.requests) == 1

    def test_an_event_that_is_rolled_back_is_sent_to_nobody(self, hook: Hook, raw_database: None) -> None:
        with transaction.atomic():
            record(Event.Kind.ACCESS_LOST, "check 1", a_connection(), {})
            transaction.set_rollback(True)
        assert (Event.objects.count(), WebhookMessage.objects.count(), OrmQ.objects.count()) == (0, 0, 0)

    def test_a_message_whose_task_was_lost_is_queued_again(self, hook: Hook) -> None:
        record_test(hook.endpoint)
        OrmQ.objects.all().delete()
        tasks.sweep()
        assert OrmQ.objects.count() == 0, "it may still be on its way"
        WebhookMessage.objects.update(queued_at=timezone.now() - timedelta(minutes=16))
        tasks.sweep()
        assert OrmQ.objects.count() == 1

    def test_a_dead_endpoint_leaves_the_others_their_places(self, hook: Hook, raw_database: None) -> None:
        mine = a_connection()
        url = f"http://127.0.0.1:{hook.receiver.port}"
        WebhookEndpoint.objects.update(kinds=["access.lost"])
        healthy = an_endpoint(f"{url}/healthy", kinds=["file.failed"])
        hook.receiver.will(500)
        with transaction.atomic():
            for number in range(130):
                record(Event.Kind.ACCESS_LOST, f"check {number}", mine, {})
            for number in range(20):
                record(Event.Kind.FILE_FAILED, f"file {number}", mine, {})
        queued = run_queued()
        assert Counter(queued) == {hook.endpoint: OF_ONE, healthy: 20}
        assert WebhookMessage.objects.filter(endpoint=healthy, status="DELIVERED").count() == 20
        assert len(hook.receiver.requests) == 21, "the dead one is asked once"

    def test_a_task_that_comes_too_early_gives_its_place_back(self, hook: Hook) -> None:
        _, second = record_test(hook.endpoint), record_test(hook.endpoint)
        hook.receiver.will(500)
        assert run_queued() == [hook.endpoint] * 2
        assert WebhookMessage.objects.filter(queued_at=None).count() == 2
        tasks.sweep()
        assert OrmQ.objects.count() == 0, "it rests"
        WebhookEndpoint.objects.update(rests_until=timezone.now())
        tasks.sweep()
        assert [entry.task["args"] for entry in OrmQ.objects.all()] == [(second.pk,)], "the first pauses"

    def test_tasks_that_wait_for_an_endpoint_that_rests_take_no_place(
        self, hook: Hook, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(queue, "AT_MOST", 2)
        other = an_endpoint(f"http://127.0.0.1:{hook.receiver.port}/other")
        first, _ = record_test(hook.endpoint), record_test(hook.endpoint)
        hook.receiver.will(500)
        send(first.pk)
        for _ in range(3):
            record_test(other)
        assert WebhookMessage.objects.filter(endpoint=other, queued_at=None).count() == 1

    def test_what_another_worker_is_sending_is_left_alone_and_is_due_when_that_dies(self, hook: Hook) -> None:
        message = record_test(hook.endpoint)
        seen: list[WebhookDelivery | None] = []

        def meanwhile(handler: Any) -> None:
            seen.append(in_another_session(lambda: send(message.pk)))
            handler.connection.close()

        hook.receiver.answers.append(meanwhile)
        with transaction.atomic():
            send(message.pk)
            transaction.set_rollback(True)  # as when the worker dies
        assert seen == [None]
        assert send(message.pk) is not None
        message.refresh_from_db()
        assert message.status == "DELIVERED"

    @pytest.mark.parametrize(
        "change",
        ["UPDATE ingestion_webhookdelivery SET seconds = 0", "DELETE FROM ingestion_webhookdelivery"],
    )
    def test_the_log_of_tries_is_never_changed(self, hook: Hook, change: str) -> None:
        send(record_test(hook.endpoint).pk)
        with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
            cursor.execute(change)


def run_queued() -> list[WebhookEndpoint]:
    """Do every task of a webhook that is queued, once; the endpoints they were for."""
    entries = list(OrmQ.objects.order_by("id"))
    numbers = [entry.task["args"][0] for entry in entries]
    OrmQ.objects.filter(pk__in=[entry.pk for entry in entries]).delete()
    for number in numbers:
        tasks.send_webhook(number)
    endpoints_of = WebhookMessage.objects.select_related("endpoint").in_bulk(numbers)
    return [endpoints_of[number].endpoint for number in numbers]


def in_another_session(work: Callable[[], Any]) -> Any:
    """What `work` answers; it is run in a thread that has its own session (a receiver's own is one)."""
    try:
        return work()
    finally:
        connection.close()


def test_the_secret_is_made_from_djangos_key_and_the_seed(settings: Any) -> None:
    settings.SECRET_KEY = "one"
    first = secret_of("seed")
    assert first == secret_of("seed")
    assert first != secret_of("another seed")
    settings.SECRET_KEY = "two"
    assert first != secret_of("seed")
