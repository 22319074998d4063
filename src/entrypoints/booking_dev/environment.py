"""Settings for the other commands beside `booking dev`: nobody else knows the password and port of its database."""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ENVIRONMENT_FILE: Final = "environment.sh"


@contextmanager
def environment_file(directory: Path, settings: Mapping[str, str]) -> Iterator[Path]:
    """A file in `directory` that a shell can source to have these settings, until the end of the block.

    Its mode is 0600, for a password is in it. One that a killed run has left behind is replaced. Raises OSError.
    """
    path = directory / ENVIRONMENT_FILE
    lines = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)  # of a start that was killed; also lets O_EXCL set the mode
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(lines)
    draft.replace(path)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
