"""The habits of this house that no linter knows: short functions, short files, telling names."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PRODUCT = ["kcx", "ingestion", "billing"]
FUNCTION_LINES, FILE_LINES = 40, 200
NAMELESS = {"utils", "util", "common", "helpers", "helper", "services", "misc", "tools", "base_utils"}
STEPS = [
    "assume_role",
    "list_files",
    "identify_new",
    "stream_read",
    "parse",
    "insert",
    "update_registry",
]


def modules() -> list[Path]:
    """Every Python file of the product, without migrations."""
    found = [path for app in PRODUCT for path in (REPOSITORY / app).rglob("*.py")]
    return sorted(path for path in found if "migrations" not in path.parts)


def long_functions(source: str) -> Iterator[tuple[str, int]]:
    """The name and length of every function over the limit, its decorators and docstring counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            length = (node.end_lineno or first) - first + 1
            if length > FUNCTION_LINES:
                yield node.name, length


def name_of(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_these_rules_look_at_the_whole_product() -> None:
    looked_at = {name_of(path) for path in modules()}
    assert {"kcx/settings.py", "ingestion/pipeline/run.py", "billing/encode.py"} <= looked_at


def test_no_function_is_longer_than_a_screen() -> None:
    found = {name_of(path): list(long_functions(path.read_text())) for path in modules()}
    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.parametrize(("lines", "found"), [(38, []), (39, [("f", 41)])])
def test_a_function_of_41_lines_is_found(lines: int, found: list[tuple[str, int]]) -> None:
    source = "@decorated\ndef f():\n" + "    pass\n" * lines
    assert list(long_functions(source)) == found


def test_no_file_is_longer_than_can_be_read_at_once() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules()}
    assert {name: length for name, length in lengths.items() if length > FILE_LINES} == {}


def test_every_module_says_in_one_line_what_it_is() -> None:
    without = []
    for path in modules():
        docstring = ast.get_docstring(ast.parse(path.read_text()), clean=False)
        if path.read_text() and (docstring is None or len(docstring.splitlines()) != 1):
            without.append(name_of(path))
    assert without == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    names = [path.relative_to(REPOSITORY) for path in [*modules(), *(REPOSITORY / "tests").rglob("*.py")]]
    assert [path for path in names if {path.stem, *path.parts} & NAMELESS] == []


def test_the_seven_steps_number_themselves_in_their_order() -> None:
    pipeline = REPOSITORY / "ingestion" / "pipeline"
    numbered = {}
    for path in pipeline.glob("*.py"):
        if step := re.match(r'"""Step (\d) of 7: \S', path.read_text()):
            numbered[int(step[1])] = path.stem
    assert numbered == dict(enumerate(STEPS, 1))


def test_the_order_of_the_steps_is_known_in_one_place() -> None:
    pipeline = REPOSITORY / "ingestion" / "pipeline"
    work = {"s3_client(", "list_files(", "parse(", "insert(", "record_success("}
    knowing = [
        path.stem
        for path in pipeline.glob("*.py")
        if len([call for call in work if call in without_definitions(path)]) > 2
    ]
    assert knowing == ["run"]


def without_definitions(path: Path) -> str:
    return re.sub(r"(def|class) \w+\(", "", path.read_text())


def test_no_secret_and_no_endpoint_of_aws_has_a_place_in_the_models() -> None:
    folder = REPOSITORY / "ingestion" / "models"
    # The endpoints of events.py are the receivers of webhooks; what signs them is made, not stored.
    models = "\n".join(
        path.read_text() for path in folder.glob("*.py") if path.stem not in {"events", "__init__"}
    )
    assert re.findall(r"secret|access_key|session_token|endpoint", models, re.IGNORECASE) == []
    events = (folder / "events.py").read_text()
    assert re.findall(r"access_key|session_token|\w*secret\w* = |aws", events, re.IGNORECASE) == []
