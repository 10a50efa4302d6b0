"""Whole lines of CSV to Arrow columns of text, NULL and '' told apart."""

import pyarrow as pa
import pyarrow.csv as pacsv

UTF8_BOM = b"\xef\xbb\xbf"


class CsvBlocks:
    """Reads blocks of whole records that all have `columns` columns, which are named "0", "1", ..."""

    def __init__(self, columns: int) -> None:
        names = [str(index) for index in range(columns)]
        self._names = names
        # A blank line is a row with no value where there is one column, and no row at all elsewhere.
        self._parse = pacsv.ParseOptions(newlines_in_values=True, ignore_empty_lines=columns > 1)
        self._convert = pacsv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def read(self, block: bytes) -> pa.Table:
        """The block's rows. Raises pyarrow.ArrowInvalid where it is not such CSV."""
        # Arrow drops a byte order mark from whatever it is given; within a file it is part of a value.
        guarded = UTF8_BOM + block if block.startswith(UTF8_BOM) else block
        reading = pacsv.ReadOptions(use_threads=False, block_size=len(guarded) + 1, column_names=self._names)
        return pacsv.read_csv(pa.BufferReader(guarded), reading, self._parse, self._convert)
