"""Every bad Parquet file of the catalogue is refused by its code."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest
from reading_bytes import read, refusal, refusal_of

from ingestion.errors import BadFileError
from ingestion.file_errors import UnsupportedType
from ingestion.formats.as_text import as_text, refuse_unsupported
from ingestion.pipeline.parse import Limits, parse


def parquet(table: pa.Table, **options: object) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def invalid_utf8(*values: bytes) -> pa.Array:
    """A string column whose bytes nobody checked."""
    stored = pa.array(values, pa.binary())
    return pa.StringArray.from_buffers(len(values), *stored.buffers()[1:])


GOOD = parquet(pa.table({"n": range(2000), "s": [f"value {number}" for number in range(2000)]}))


@pytest.mark.parametrize("kept", [1, 3, 4, 8, 11, 12, len(GOOD) // 2, len(GOOD) - 4, len(GOOD) - 1])
def test_a_parquet_file_cut_short_is_refused(kept: int) -> None:
    assert refusal(GOOD[:kept], "part.snappy.parquet").code == "bad_parquet"


def test_a_csv_file_renamed_to_parquet_is_refused() -> None:
    assert refusal(b"a,b\n1,2\n", "part.snappy.parquet").code == "bad_parquet"


def test_wrong_bytes_at_either_end_are_refused() -> None:
    assert refusal(b"XXXX" + GOOD[4:], "part.parquet").code == "bad_parquet"
    assert refusal(GOOD[:-4] + b"XXXX", "part.parquet").code == "bad_parquet"


def test_a_footer_longer_than_the_file_is_refused() -> None:
    assert refusal(GOOD[:-8] + b"\xff\xff\xff\x7fPAR1", "part.parquet").code == "bad_parquet"


def test_parquet_is_known_by_its_content_under_any_name() -> None:
    assert len(read(GOOD, "part.csv.gz")[1]) == 2000


def test_no_changed_byte_of_a_page_goes_unnoticed() -> None:
    table = pa.table({"s": [f"value {number % 50}" for number in range(500)]})
    data = parquet(table, write_page_checksum=True, compression="none")
    whole = read(data, "x.parquet")
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for position in range(4, footer, 7):
        changed = bytearray(data)
        changed[position] ^= 1
        assert outcome(bytes(changed)) in ("bad_parquet", whole), f"byte {position} changed a value"


def outcome(data: bytes) -> object:
    try:
        return read(data, "x.parquet")
    except BadFileError as error:
        return error.code


class _OpenKms(pe.KmsClient):
    """Wraps keys by not wrapping them."""

    def __init__(self, _config: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, _master: str) -> bytes:
        return key_bytes.hex().encode()

    def unwrap_key(self, wrapped: bytes, _master: str) -> bytes:
        return bytes.fromhex(wrapped.decode())


@pytest.mark.parametrize("plaintext_footer", [False, True])
def test_an_encrypted_parquet_file_is_refused_as_such(*, plaintext_footer: bool) -> None:
    table = pa.table({"a": ["1"], "b": ["2"]})
    keys = pe.EncryptionConfiguration(
        footer_key="f", column_keys={"c": ["a"]}, plaintext_footer=plaintext_footer
    )
    sealed = pe.CryptoFactory(_OpenKms).file_encryption_properties(pe.KmsConnectionConfig(), keys)
    file = io.BytesIO()
    with pq.ParquetWriter(file, table.schema, encryption_properties=sealed) as writer:
        writer.write_table(table)
    assert refusal(file.getvalue(), "part.parquet").code == "encrypted_parquet"


def test_text_that_is_not_utf8_is_refused_by_row_and_column() -> None:
    table = pa.table({"good": ["x"] * 5, "bad": invalid_utf8(b"a", b"b", b"c", b"\xff", b"d")})
    error = refusal(parquet(table), "x.parquet", batch_bytes=64)
    assert (error.code, error.row, error.column) == ("not_utf8", 4, "bad")


def test_text_that_is_not_utf8_is_found_inside_nested_values() -> None:
    lists = pa.ListArray.from_arrays([0, 1, 2], invalid_utf8(b"a", b"\xff"))
    error = refusal(parquet(pa.table({"bad": lists})), "x.parquet")
    assert (error.code, error.row, error.column) == ("not_utf8", 2, "bad")


def test_a_moment_too_far_off_to_be_written_is_refused_by_row_and_column() -> None:
    moments = pa.array([0, 2**62], pa.int64()).cast(pa.timestamp("ms"))
    error = refusal(parquet(pa.table({"when": moments})), "x.parquet")
    assert (error.code, error.row, error.column) == ("bad_parquet", 2, "when")


def test_a_column_without_a_name_is_refused() -> None:
    assert refusal(parquet(pa.table([pa.array([1])], names=[""])), "x.parquet").code == "nameless_column"


def test_a_type_without_a_text_is_refused_by_the_columns_name() -> None:
    intervals = pa.list_(pa.month_day_nano_interval())
    schema = pa.schema([("good", pa.string()), ("odd", intervals)])
    error = refusal_of(lambda: refuse_unsupported(schema))
    assert isinstance(error, UnsupportedType)
    assert error.column == "odd"


def test_a_row_larger_than_the_cap_is_refused_by_its_number() -> None:
    data = parquet(pa.table({"a": ["x" * 400] * 9 + ["x" * 600], "b": ["y" * 500] * 10}))
    error = refusal(data, "x.parquet", row_bytes=1000)
    assert (error.code, error.row) == ("row_too_large", 10)


def test_a_file_that_expands_beyond_the_total_is_refused() -> None:
    data = parquet(pa.table({"a": ["x" * 1000] * 10_000}))
    assert refusal(data, "x.parquet", total_bytes=10**6).code == "too_large"


def test_a_list_of_too_little_is_not_read_beyond_its_slice() -> None:
    lists = pa.ListArray.from_arrays([0, 1, 2], invalid_utf8(b"a", b"\xff"))
    assert as_text(lists.slice(0, 1).take([0]), "c", 0).to_pylist() == ['["a"]']


class _Watched(io.BytesIO):
    """Knows the largest read that was asked of it."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.most = max(self.most, size or 0)
        return super().read(size)


def test_a_footer_of_absurd_size_is_refused_before_it_is_read() -> None:
    size = 64 * 2**20 + 1
    file = b"PAR1" + bytes(size) + size.to_bytes(4, "little") + b"PAR1"
    source = _Watched(file)
    error = refusal_of(lambda: parse(lambda: source, "x.parquet", Limits()))
    assert (error.code, str(error)) == (
        "too_large",
        "The footer takes 67,108,865 bytes, more than 67,108,864.",
    )
    assert source.most < 2**20
