"""Why rows cannot be exported: leaves of the one error tree."""

from ingestion.errors import IngestionError, TransientError


class NotExportable(IngestionError):
    """Nothing is current there, a file is not loaded, or a delivery is not complete."""

    code = "not_exportable"
    next_action = "Choose a loaded file, or a delivery or billing period whose files are all loaded."


class UnknownColumn(IngestionError):
    """No file of the selection has a column of this name."""

    code = "unknown_column"
    next_action = "Compare the name with the file's columns, to the letter: case and spaces count."


class SelectionChanged(TransientError):
    """A file was loaded anew, or its rows were taken away, after it was selected."""

    code = "selection_changed"
    next_action = "Start the export again."


class NotAsTyped(IngestionError):
    """A stored value is none of the type that its column layout names."""

    code = "not_as_typed"
    next_action = "Run `manage.py verify` on the file; reprocess it where a value was changed."


class RowsMissing(IngestionError):
    """The database holds fewer or more rows of a file than its registry says."""

    code = "rows_missing"
    next_action = "Run `manage.py verify` on the file; reprocess it where rows are missing."
