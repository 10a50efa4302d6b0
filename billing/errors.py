"""What billing refuses to store."""


class RowRefused(Exception):
    """A row that PostgreSQL or KCX's cap cannot take.

    `row_number` is 1-based in its file; `column` is the 0-based position, None where the whole row is meant.
    """

    def __init__(self, row_number: int, column: int | None = None) -> None:
        super().__init__(f"row {row_number} refused")
        self.row_number = row_number
        self.column = column


class NulInRow(RowRefused):
    """A cell holds the NUL character, which PostgreSQL's text cannot."""


class RowOverCap(RowRefused):
    """The cells of a row hold more bytes than the cap allows."""
