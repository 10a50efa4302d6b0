"""Opens a Parquet file: what its footer tells, and what it may not tell."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion.errors import BadFileError
from ingestion.file_errors import (
    BadParquet,
    CutParquet,
    EncryptedParquet,
    NamelessColumn,
    NulCharacter,
    TooLarge,
)
from ingestion.formats.as_text import refuse_unsupported
from ingestion.formats.contract import Column, Limits
from ingestion.formats.evidence import excerpt
from ingestion.formats.reader import Reader

# Up to this size a row group's column chunks are read whole, each in one request and in file order.
_WHOLE_GROUP_BYTES = 128 * 2**20
_PAGE_BUFFER_BYTES = 2**20
# The largest single read that a genuine file needs. Of a small row group that is its largest column chunk,
# which is no larger than the group: _WHOLE_GROUP_BYTES, or some times that where groups compress unevenly, as
# only their sizes before compression are known. Of a large one it is a page: a megabyte as most write it, but
# some write a column chunk as one page, of a few hundred megabytes. Four times is for both; a worker of the
# default KCX_WORKER_MEMORY_MB can hold it, with the copies that reading makes.
MOST_READ_BYTES = 4 * _WHOLE_GROUP_BYTES
_MOST_FOOTER_BYTES = 64 * 2**20  # a thousand row groups of 300 columns take some 30 MB
_LARGE_COLUMN_BYTES = 2**18  # on average; a chunk's own size cannot be asked for where columns are encrypted
# How Arrow and its decompressors say that memory was refused.
_NO_MEMORY = ("malloc", "bad_alloc", "out of memory", "Cannot allocate memory")


def open_parquet(reader: Reader, limits: Limits) -> tuple[pq.ParquetFile, tuple[Column, ...]]:
    """Open the file and check its footer.

    The columns are the file's own, while its strings are read as dictionaries. Raises the leaves of
    BadFileError that a footer can be the cause of.
    """
    handle = pa.PythonFile(reader, mode="r")
    try:
        with reader.no_read_above(_MOST_FOOTER_BYTES, "The footer"):
            plain = pq.ParquetFile(handle, coerce_int96_timestamp_unit="us", pre_buffer=False)
        _check_footer(plain.metadata, limits)
        file = pq.ParquetFile(
            handle,
            metadata=plain.metadata,
            read_dictionary=_dictionary_columns(plain.metadata),
            buffer_size=_buffer_size(plain.metadata, reader.size()),
            pre_buffer=False,
            page_checksum_verification=True,
            coerce_int96_timestamp_unit="us",
        )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise reader.failure or refusal(error, {}, CutParquet) from error
    columns = tuple(Column(field.name, str(field.type)) for field in plain.schema_arrow)
    _check_names(columns)
    refuse_unsupported(plain.schema_arrow)
    return file, columns


def _check_footer(metadata: pq.FileMetaData, limits: Limits) -> None:
    """Refuse what no reader should begin to decode."""
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    sizes, rows = [group.total_byte_size for group in groups], [group.num_rows for group in groups]
    if min(sizes + rows, default=0) < 0 or sum(rows) != metadata.num_rows:
        raise BadParquet(f"The footer counts {metadata.num_rows:,} rows, its row groups {sum(rows):,}.")
    for count, cap, unit, setting in (
        (metadata.num_rows, limits.rows, "rows", "KCX_MAX_ROWS"),
        (metadata.num_columns, limits.columns, "columns", "KCX_MAX_COLUMNS"),
        (sum(sizes), limits.total_bytes, "bytes when decompressed", "KCX_MAX_DECODED_BYTES"),
    ):
        if count > cap:
            raise TooLarge(f"The footer counts {count:,} {unit}, more than {cap:,} ({setting}).")


def _dictionary_columns(metadata: pq.FileMetaData) -> list[str]:
    """Name the text columns outside lists and maps that are read as dictionaries: all, or none.

    A long value that repeats then takes its place once, so that no small file can fill the memory. But Arrow
    keeps all values of a row group in them: the columns of large row groups are read as they are.
    """
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    if any(group.total_byte_size > _LARGE_COLUMN_BYTES * metadata.num_columns for group in groups):
        return []
    columns = (metadata.schema.column(index) for index in range(metadata.num_columns))
    return [one.path for one in columns if one.logical_type.type == "STRING" and not one.max_repetition_level]


def _buffer_size(metadata: pq.FileMetaData, file_bytes: int) -> int:
    """Return 0 to read column chunks whole, else how much of each to hold.

    A row group's share of the file is judged by its size before compression: Arrow 26 aborts the process
    when asked for the sizes of an encrypted column.
    """
    sizes = [metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)]
    largest = file_bytes * max(sizes, default=0) // max(sum(sizes), 1)
    return 0 if largest <= _WHOLE_GROUP_BYTES else _PAGE_BUFFER_BYTES


def compression_of(metadata: pq.FileMetaData) -> str:
    """Name the codecs of the first row group with rows; to be asked once that has been read (see above)."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    for group in (one for one in groups if one.num_rows):
        codecs = {group.column(index).compression.lower() for index in range(group.num_columns)}
        return "+".join(sorted(codecs)).replace("uncompressed", "none")
    return "none"


def _check_names(columns: tuple[Column, ...]) -> None:
    for number, column in enumerate(columns, 1):
        if not column.name:
            sentence = f"Column {number} of {len(columns)} has no name."
            raise NamelessColumn(sentence, evidence=_neighbours(columns, number))
        if "\0" in column.name:
            sentence = f"The name of column {number} holds the NUL character."
            raise NulCharacter(sentence, evidence=_neighbours(columns, number))


def _neighbours(columns: tuple[Column, ...], number: int) -> dict[str, int | str]:
    """The names around a column's, as a header line would have them."""
    before, rest = (
        ",".join(one.name for one in some) for some in (columns[: number - 1], columns[number - 1 :])
    )
    line = f"{before}," if before else ""
    return {"column_number": number, "excerpt": excerpt((line + rest).encode(), len(line.encode()))}


def refusal(
    error: Exception, evidence: Mapping[str, int | str], kind: type[BadParquet] = BadParquet
) -> BadFileError | MemoryError:
    """Say what an error of Arrow's means: for the file, or that this process has no more memory."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return MemoryError(str(error))
    if "crypt" in str(error):
        return EncryptedParquet("The Parquet file is encrypted.")
    sentence = str(error).splitlines()[0] if str(error) else type(error).__name__
    return kind(f"The Parquet file cannot be read: {sentence.rstrip('.')}.", evidence=evidence)
