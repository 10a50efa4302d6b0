"""What can be wrong with a file's bytes: the leaves of `errors.BadFileError`, all permanent."""

from ingestion.errors import BadFileError

RAISE_THE_CAP = "If the file is genuine, raise the cap (docs/operations.md), then retry."


class EmptyObject(BadFileError):
    """The object has no bytes at all, or a byte order mark and nothing else."""

    code = "empty_object"


class CorruptGzip(BadFileError):
    """Not a gzip stream, cut short, or with a wrong checksum."""

    code = "corrupt_gzip"


class CutGzip(CorruptGzip):
    """The gzip stream is cut short."""

    looked_at_twice = True


class CorruptZip(BadFileError):
    """Not a zip archive, cut short, or not exactly one member in it."""

    code = "corrupt_zip"


class CutZip(CorruptZip):
    """The zip archive does not end as one does."""

    looked_at_twice = True


class BadCsv(BadFileError):
    """The text is not well-formed CSV."""

    code = "bad_csv"


class RaggedRow(BadFileError):
    """A row has more or fewer cells than the header."""

    code = "ragged_row"


class NotUtf8(BadFileError):
    """The text is not UTF-8."""

    code = "not_utf8"


class NulCharacter(BadFileError):
    """A value holds the NUL character, which PostgreSQL text cannot."""

    code = "nul_character"


class NamelessColumn(BadFileError):
    """A column has no name."""

    code = "nameless_column"


class RowTooLarge(BadFileError):
    """A row is larger than the cap (KCX_MAX_ROW_BYTES)."""

    code = "row_too_large"
    next_action = RAISE_THE_CAP


class ValueTooLarge(BadFileError):
    """A value is larger than the cap (KCX_MAX_VALUE_BYTES)."""

    code = "value_too_large"
    next_action = RAISE_THE_CAP


class BadParquet(BadFileError):
    """The Parquet file cannot be read: footer, page or checksum."""

    code = "bad_parquet"


class CutParquet(BadParquet):
    """The Parquet file does not begin and end as one does."""

    looked_at_twice = True


class EncryptedParquet(BadFileError):
    """The Parquet file is encrypted."""

    code = "encrypted_parquet"
    next_action = "Ask the client for an unencrypted export: KCX holds no keys of theirs."


class UnsupportedType(BadFileError):
    """A Parquet column has a type KCX cannot write as text without loss."""

    code = "unsupported_type"
    next_action = "Report the type to KCX's engineers."


class TooLarge(BadFileError):
    """The file is beyond a cap on bytes, ratio, rows or columns: a bomb, or an export nobody expected."""

    code = "too_large"
    next_action = RAISE_THE_CAP


class ReadTooLarge(TooLarge):
    """The file's own figures would have more of it held in memory at once than any writer needs."""

    next_action = (
        "If the file is genuine, report how it was written to KCX's engineers: no setting bounds it."
    )
