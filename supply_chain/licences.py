"""Which licences the packages may have that this one (Apache-2.0) is used with."""

import re
from collections.abc import Iterator
from typing import Any, Final

_CLASSIFIER: Final = "License :: OSI Approved :: "

ALLOWED: Final = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "MIT",
        "MIT-0",
        "PSF-2.0",
        "Unlicense",
        f"{_CLASSIFIER}Apache Software License",
        f"{_CLASSIFIER}BSD License",
        f"{_CLASSIFIER}MIT License",
        # Used as they are, as libraries that can be replaced: that asks nothing of our sources.
        "LGPL-2.1-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        f"{_CLASSIFIER}GNU Lesser General Public License v2 or later (LGPLv2+)",
        f"{_CLASSIFIER}GNU Lesser General Public License v3 (LGPLv3)",
    }
)
"""SPDX identifiers, and what older packages say in place of them."""


def licences_not_allowed(bill: Any) -> list[str]:
    """A line for each package of the bill that has no licence, or one that is not allowed, sorted by name."""
    found = []
    for component in sorted(bill["components"], key=lambda each: str(each["name"]).lower()):
        said = list(_said(component))
        if not said:
            found.append(f"{component['name']} {component['version']}: says nothing of a licence")
        elif not all(is_allowed(expression) for expression in said):
            found.append(f"{component['name']} {component['version']}: {'; '.join(said)}")
    return found


def is_allowed(expression: str) -> bool:
    """Whether a name, or an SPDX expression without brackets, leaves us an allowed licence; in doubt it does not."""
    return any(
        all(part in ALLOWED for part in re.split(r"\s+AND\s+", choice)) for choice in re.split(r"\s+OR\s+", expression)
    )


def _said(component: Any) -> Iterator[str]:
    for entry in component.get("licenses", []):
        yield entry["expression"] if "expression" in entry else entry["license"].get("id") or entry["license"]["name"]
