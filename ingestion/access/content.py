"""The rungs about what is in the bucket: exports, the first bytes of a file, its header."""

from collections import Counter
from itertools import islice

from django.template.defaultfilters import pluralize

from ingestion.access.rung import SKIPPED, WARNING, Climb, Found
from ingestion.deadline import ask
from ingestion.errors import ArchivedObject, BadFileError
from ingestion.layouts.keys import Kind, classify
from ingestion.pipeline.list_files import RemoteFile
from ingestion.pipeline.parse import Limits, parse
from ingestion.pipeline.stream_read import ObjectReader, PinnedObject

# Of 1,000 objects each: enough to see what is there, and no more than seconds.
PAGES = 5
FIRST_BYTES = 2**16
COLUMNS_NAMED = 5


def exports_found(climb: Climb) -> Found:
    """What the first pages of the listing show; a prefix without exports is a warning."""
    for page in islice(climb.pages, PAGES - 1):
        climb.files.extend(page)
    more = next(climb.pages, None) is not None
    seen = f"{_counted(len(climb.files), 'object')} seen under the prefix"
    if more:
        seen = f"Of the objects under the prefix the first {len(climb.files):,} seen"
    if not climb.files:
        return Found(
            "No file under the prefix yet.",
            WARNING,
            cause="The prefix is empty: AWS has delivered nothing there, or the prefix is another one.",
            remedy="Ask the client for the prefix in the export's settings. A new export comes within a day.",
        )
    data = [file for file in climb.files if _is_billing_data(file)]
    if not data and more:
        return Found(
            f"{seen}; none of these is a billing file that KCX knows.",
            WARNING,
            cause="The files that come first by name are not named as AWS names billing exports.",
            remedy="A discovery looks at all. Where the export has a prefix of its own, enter that one.",
        )
    if not data:
        return Found(
            f"{seen}; none is a billing file that KCX knows.",
            WARNING,
            cause="Nothing there is named as AWS names billing exports.",
            remedy="Compare the prefix with the export's settings, or wait for the first delivery.",
        )
    _choose(climb, data)
    return Found(f"{seen}: {_exports(data)}.")


def read_first_bytes(climb: Climb) -> Found:
    """The newest file can be read, as the version that was listed. Raises what AWS refuses by its cause."""
    access, file = climb.access, climb.newest
    if file is None and climb.archived:
        raise ArchivedObject(f"All {climb.archived:,} billing files seen are in an archive storage class.")
    if file is None:
        return Found("Not tried: there is no billing file to read yet.", SKIPPED)
    doing = f"Reading {file.key}"
    answer = ask(
        doing,
        lambda: climb.s3.get_object(
            Bucket=access.bucket,
            Key=file.key,
            Range=f"bytes=0-{FIRST_BYTES - 1}",
            IfMatch=file.etag,
            ExpectedBucketOwner=access.owner,
        ),
    )
    body: bytes = ask(doing, answer["Body"].read)
    return Found(f"{len(body):,} of {file.size:,} bytes of {file.key} were read.")


def parse_header(climb: Climb) -> Found:
    """The file has columns. A file that is damaged is a warning: the access to it is right."""
    access, file = climb.access, climb.newest
    if file is None:
        return Found("Not tried: there is no billing file to read yet.", SKIPPED)
    pinned = PinnedObject(access.bucket, file.key, file.etag, file.size, access.owner)
    try:
        with ObjectReader(climb.s3, pinned) as reader:
            parsed = parse(lambda: reader, file.key, Limits())
    except BadFileError as error:
        cause = f"{type(error).__doc__} This file will not load; the access is right."
        return Found(f"{file.key}: {error}", WARNING, cause=cause, remedy=error.next_action)
    names = [column.name for column in parsed.columns]
    more = ", ..." if len(names) > COLUMNS_NAMED else ""
    first = ", ".join(names[:COLUMNS_NAMED])
    return Found(f"{file.key} is {parsed.format} with {len(names):,} columns: {first}{more}.")


def _choose(climb: Climb, data: list[RemoteFile]) -> None:
    readable = [file for file in data if not file.is_archived]
    climb.archived = len(data) - len(readable)
    climb.newest = max(readable, key=lambda file: (file.last_modified, file.key), default=None)


def _is_billing_data(file: RemoteFile) -> bool:
    facts = classify(file.key)
    return facts.kind is Kind.DATA and facts.is_billing and file.size > 0


def _exports(data: list[RemoteFile]) -> str:
    facts = [classify(file.key) for file in data]
    files = Counter((one.key_layout.value, one.root, one.name) for one in facts)
    return "; ".join(
        f"{root}{name} ({layout.replace('_', ' ')}, {_counted(count, 'file')})"
        for (layout, root, name), count in sorted(files.items())
    )


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{pluralize(count)}"
