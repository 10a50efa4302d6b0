"""What becomes of the worker while it loads a file: further leaves of `errors.MayBeTheFile`."""

from ingestion.errors import MayBeTheFile


class OutOfMemory(MayBeTheFile):
    """The worker reached its memory limit (KCX_WORKER_MEMORY_MB) while it loaded the file."""

    code = "out_of_memory"
    next_action = "Raise the limit, or run fewer processes beside it; KCX tries again by itself."
    at_last = "raise the limit, then retry."


class TimeLimit(MayBeTheFile):
    """The load, or the discovery, took longer than a task may (KCX_TASK_TIMEOUT_SECONDS)."""

    code = "time_limit"
    # A slow day of AWS's or the database's passes. But each try holds a worker for the whole of the limit.
    most = 3
    next_action = "Raise the limit if this needs longer; KCX tries again by itself."
    at_last = "raise the limit, or ask the client for an export in smaller files, then retry."


class WorkerCrashed(MayBeTheFile):
    """The worker died again and again while it loaded this file."""

    code = "worker_crashed"
    next_action = "Look at the worker's memory and log; KCX tries again by itself."
    at_last = "find in the worker's memory and log what the file does to it, then retry."
