"""The correlation id: one name for everything that one request causes, here and in other services."""

import re
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

HEADER: Final = "X-Correlation-Id"

# What every log, header and message can carry as it is: no blanks, no line breaks, no quotes.
_FORM: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def correlation_of(environ: Mapping[str, Any]) -> str:
    """The caller's correlation id, if it has the form of one; else a new one, for a bad id is no reason to refuse."""
    return correlation_in(environ.get("HTTP_X_CORRELATION_ID"))


def correlation_in(given: str | None) -> str:
    """The header's text if it has the form of a correlation id; else a new one."""
    return given if given is not None and _FORM.fullmatch(given) else str(uuid4())
