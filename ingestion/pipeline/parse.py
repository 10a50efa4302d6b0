"""Step 5 of 7: bytes -> Arrow record batches of text."""

from collections.abc import Callable

import isal
import pyarrow as pa

from ingestion.file_errors import EmptyObject, NotUtf8
from ingestion.formats.caps import within_caps
from ingestion.formats.containers import (
    MAGIC_LENGTH,
    Kind,
    open_text,
    refuse_misnamed,
    refuse_second_layer,
    sniff,
)
from ingestion.formats.contract import (
    Column,
    Limits,
    Oddities,
    ParsedFile,
    Source,
    repeated_names,
)
from ingestion.formats.csv_text import CsvText
from ingestion.formats.parquet import read_parquet
from ingestion.formats.reader import Meter, MeteredText, Reader

__all__ = ["Column", "Limits", "Oddities", "ParsedFile", "Source", "parse"]


def parse(open_source: Callable[[], Source], name: str, limits: Limits) -> ParsedFile:
    """Read as much of a file as its columns need; the rows follow as `batches` is iterated.

    `name` is the object's key, of which only the ending matters. Raises the leaves of BadFileError; errors of
    the source itself come through unchanged. The source is left open: it is its opener's.
    """
    reader = Reader(open_source())
    head = reader.peek(MAGIC_LENGTH)
    if not head:
        raise EmptyObject("The object has no bytes at all.")
    meter = Meter(reader, limits)
    kind = sniff(head, name)
    if kind is Kind.PARQUET:
        return read_parquet(reader, meter, limits)
    return _parse_text(reader, meter, kind, name, limits)


def _parse_text(reader: Reader, meter: Meter, kind: Kind, name: str, limits: Limits) -> ParsedFile:
    text = MeteredText(open_text(reader, kind), meter)
    start = text.read(MAGIC_LENGTH)
    refuse_second_layer(start, kind)
    try:
        csv = CsvText(start, text, limits)
    except NotUtf8 as error:
        refuse_misnamed(kind, name, error)
        raise
    return ParsedFile(
        format="csv",
        compression=kind.value,
        columns=csv.columns,
        batches=within_caps(csv.batches(), csv.columns, limits),
        parser=f"pyarrow {pa.__version__} csv; isal {isal.__version__}",
        bytes_decoded=lambda: meter.decoded,
        oddities=lambda: Oddities(csv.blank_lines, csv.lone_returns, repeated_names(csv.columns)),
    )
