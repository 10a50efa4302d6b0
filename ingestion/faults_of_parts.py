"""What the files of a delivery say against publishing it, once they are loaded, skipped or given up."""

from billing.models import ColumnLayout
from ingestion.models import SourceFile

# What is read of a file here; the rest of it is left in the database.
STATE_OF_FILE = ("status", "next_retry_at", "error_code", "skip_reason", "layout", "row_count")


def what_is_against(files: list[SourceFile]) -> str:
    """Why a delivery of these files can never be published as it is; '' where nothing is wrong."""
    for file in files:
        if fault := fault_of(file):
            return fault
    layouts = {file.layout_id for file in files if file.layout_id}
    named = ColumnLayout.objects.filter(pk__in=layouts).exclude(names=[]).values_list("names", flat=True)
    headers = {tuple(names) for names in named} if len(layouts) > 1 else ()
    return "The headers of its parts disagree." if len(headers) > 1 else ""


def fault_of(file: SourceFile) -> str:
    """Why no delivery that holds the file as it is can be published; '' where nothing is wrong with it."""
    if file.status == SourceFile.Status.FAILED and file.next_retry_at is None:
        return f"A file failed for good ({file.error_code}): {file.key}"
    if file.status == SourceFile.Status.SKIPPED:
        return f"{file.get_skip_reason_display()}: {file.key}"
    return ""


def no_header_of_its_own(files: list[SourceFile], expected: list[str] | None) -> str:
    """Why a delivery without any row is not believed to be an empty month; '' where it is.

    AWS empties parts that are too many, but writes a header that its manifest knows: in any order of columns.
    """
    if not (files and expected) or any(file.row_count != 0 for file in files):
        return ""
    layouts = ColumnLayout.objects.filter(pk__in={file.layout_id for file in files}).exclude(names=[])
    headers = [sorted(names) for names in layouts.values_list("names", flat=True)]
    if headers and all(header == sorted(expected) for header in headers):
        return ""
    return f"Its parts have no rows, and not the header that its manifest tells: {files[0].key}"
