"""Whatever bytes a file holds: an error of ours, or rows that are right (`make fuzz` goes on for minutes)."""

import io
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading_bytes import Row, read

from ingestion.errors import BadFileError
from tests.fuzz.mutants import mutant
from tests.fuzz.originals import Guard, Original, checked_spans, generated
from tests.fuzz.verdicts import FINDINGS, OVER, WRONG, by_python, verdict

NAMES = ["part.csv", "part.csv.gz", "part.csv.zip", "part.snappy.parquet"]
PIECES = st.sampled_from(
    [b"\x1f\x8b\x08", b"PK\x03\x04", b"PAR1", b"a,b\n", b'"', b"\0", b"\xff", b"1,2\n", b"\r"]
)


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12), st.sampled_from(NAMES))
@settings(max_examples=400, deadline=None)
def test_any_bytes_under_any_name_are_rows_of_the_files_width_or_refused(
    pieces: list[bytes], name: str
) -> None:
    found = outcome(b"".join(pieces), name)
    if not isinstance(found, BadFileError):
        columns, rows = found
        assert {len(row) for row in rows} <= {len(columns)}


@given(st.lists(PIECES | st.binary(max_size=20), max_size=12), st.integers(1, 40))
@settings(max_examples=400, deadline=None)
def test_evidence_shows_no_letter_and_no_digit_of_the_file(pieces: list[bytes], block: int) -> None:
    data = b"name,value\n" + b"".join(pieces)
    error = outcome(data, "part.csv", batch_bytes=block)
    if isinstance(error, BadFileError):
        shown = str(error.evidence.get("excerpt", ""))
        bare = re.sub(r"\\(x[0-9a-f]{0,2}|u[0-9a-f]{0,4}|U[0-9a-f]{0,8}|[nrt\\]|$)", "", shown)
        assert not [one for one in bare if one.isalnum() and one not in "a9"]
        assert 0 <= int(error.evidence.get("text_byte", 0)) <= len(data)


def outcome(data: bytes, name: str, **limits: int) -> BadFileError | tuple[list[str], list[Row]]:
    try:
        return read(data, name, **limits)
    except BadFileError as error:
        return error


@given(st.text(st.sampled_from('ab1",\n\r\ufeff'), max_size=60))
@settings(max_examples=800, deadline=None)
def test_any_csv_reads_as_python_reads_it_or_is_refused(text: str) -> None:
    expected = by_python(text.encode())
    found = outcome(text.encode(), "part.csv")
    if isinstance(found, BadFileError):
        assert expected is None or found.code not in {"bad_csv", "ragged_row"}
    else:
        assert (found[0], [[cell or "" for cell in row] for row in found[1]]) == expected


@pytest.mark.parametrize("original", generated(), ids=lambda one: one.name)
def test_no_damage_to_a_small_file_passes_unnoticed_or_is_a_fault_without_a_name(original: Original) -> None:
    found = {seed: verdict(original, seed) for seed in range(60)}
    assert {seed: what for seed, what in found.items() if what.startswith(FINDINGS)} == {}


def test_no_flipped_bit_of_a_dictionary_without_checksums_is_a_fault_without_a_name() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"s": [f"v{n % 5}" for n in range(40)]}), file, compression="none")
    data = file.getvalue()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    flips = [(at, bit) for at in range(4, footer) for bit in range(8)]
    found = [
        outcome(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :], "x.parquet") for at, bit in flips
    ]
    codes = {one.code for one in found if isinstance(one, BadFileError)}
    assert codes == {"bad_parquet", "not_utf8"}


def test_a_verdict_tells_wrong_rows_and_wrong_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Original("x.csv.gz", generated()[4].data, Guard.ALL)
    unlike = next(seed for seed in range(100) if verdict(original, seed) == "corrupt_gzip")
    monkeypatch.setattr("tests.fuzz.verdicts.rows", lambda data, name: (["a"], [[str(len(data))], [name]]))
    monkeypatch.setattr("tests.fuzz.verdicts.of_original", lambda _original: (["a"], []))
    assert verdict(original, unlike) == WRONG
    assert {WRONG, OVER} <= set(FINDINGS)


def test_the_checked_pages_of_a_parquet_file_are_nearly_all_of_it() -> None:
    data = next(one.data for one in generated() if one.name == "checked-plain.parquet")
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    spans = checked_spans(data)
    assert 0.8 * footer < sum(end - begin for begin, end in spans) < footer


def test_the_same_seed_does_the_same_damage() -> None:
    data = generated()[0].data
    assert [mutant(data, seed) for seed in range(50)] == [mutant(data, seed) for seed in range(50)]
    assert sum(mutant(data, seed).data != data for seed in range(50)) > 40
