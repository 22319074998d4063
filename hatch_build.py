"""Metadata that depends on where the project is published: its links, and a description that works on a package index.

REPOSITORY_URL names the repository (CI sets it). With it, the relative links of README.md become absolute and the
project has its URLs. Without it, links become plain text and pictures are left out, so that no built distribution has a
broken one.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_TARGET = r"\((?![a-z][a-z0-9+.-]*:|#)([^()\s]+)\)"  # relative to the project's directory
_PICTURE = re.compile(rf"!\[([^\]]*)\]{_TARGET}")
_LINK = re.compile(rf"(?<!!)\[([^\]]+)\]{_TARGET}")


class PublishedMetadata(MetadataHookInterface):
    """Hatchling's custom metadata hook."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the dynamic fields `readme` and `urls`."""
        repository = os.environ.get("REPOSITORY_URL", "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(text, repository)}
        metadata["urls"] = urls(repository) if repository else {}


def description(readme: str, repository: str) -> str:
    """The text with absolute links into the repository; without links and pictures if there is no repository."""
    if not repository:
        return _LINK.sub(r"\1", _PICTURE.sub("", readme))
    linked = _LINK.sub(rf"[\1]({repository}/blob/HEAD/\2)", readme)
    return _PICTURE.sub(rf"![\1]({repository}/raw/HEAD/\2)", linked)


def urls(repository: str) -> dict[str, str]:
    """The project's URLs by the labels that package indexes know."""
    pages = f"{repository}/blob/HEAD"
    return {
        "Homepage": repository,
        "Documentation": f"{pages}/docs/index.md",
        "Source": repository,
        "Changelog": f"{pages}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
