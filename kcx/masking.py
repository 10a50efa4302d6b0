"""Keeps what would let somebody in out of the log: AWS's short-lived keys, presigned queries, API tokens."""

import logging
import re
from typing import Any

MASKED = "[masked]"
# Of a header, a query or a dictionary, also as botocore writes them at DEBUG.
NAMED = re.compile(
    r"(?i)((?:x-amz-(?:security-token|signature|credential)|secretaccesskey|sessiontoken|awsaccesskeyid"
    r"|[?&]signature)['\"]?(?:%3d|\s*[:=]\s*|>)(?:b?['\"])?)[^&\s'\"<]+"
)
# A header's value has blanks in it: to its closing quote, or to the end of the line.
AUTHORIZATION = re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*)(?:b?'[^']*'|b?\"[^\"]*\"|[^\r\n]+)")
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
API_TOKEN = re.compile(r"(\bkcx_)[0-9a-f]{16,}")


class MaskingFormatter(logging.Formatter):
    """Masks the whole line as it is written, its traceback too: a filter would not see that."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """One line for one record: a key of a client's bucket may hold line ends and terminal codes."""
        record.message = CONTROLS.sub(lambda found: repr(found[0])[1:-1], record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """As logging's own, without secrets."""
        line = super().format(record)
        for pattern in (AUTHORIZATION, NAMED, API_TOKEN):
            line = pattern.sub(rf"\g<1>{MASKED}", line)
        return line


def logging_to_stderr(level: str) -> dict[str, Any]:
    """Django's LOGGING: a line per record on stderr, masked; of the root logger's `level` and above."""
    line = {
        "()": "kcx.masking.MaskingFormatter",
        "format": "{asctime} {levelname} {name} {message}",
        "style": "{",
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": line},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
    }
