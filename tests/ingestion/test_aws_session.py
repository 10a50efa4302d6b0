"""Sessions share what is the same for all, and nothing else."""

from ingestion.aws_session import botocore_session


def test_what_is_hooked_into_one_session_is_not_heard_by_another() -> None:
    heard: list[str] = []
    first, second = (botocore_session().get_component("event_emitter") for _ in range(2))
    first.register("of-a-test", lambda **_: heard.append("first"))
    for emitter in (second, botocore_session().get_component("event_emitter")):
        emitter.emit("of-a-test")
    assert heard == []
    first.emit("of-a-test")
    assert heard == ["first"]
