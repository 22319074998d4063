"""Which packages the licence check lets pass."""

import pytest

from supply_chain.licences import is_allowed, licences_not_allowed


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("Apache-2.0 AND BSD-2-Clause", True),
        ("GPL-2.0-only OR MIT AND BSD-3-Clause", True),
        ("License :: OSI Approved :: BSD License", True),
        # Nobody has looked at brackets: a person has to.
        ("(MIT OR ISC) AND BSD-3-Clause", False),
        ("", False),
    ],
)
def test_an_expression_must_leave_an_allowed_choice(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) is allowed


def test_every_package_that_does_not_fit_is_named() -> None:
    bill = {
        "components": [
            {"name": "zeta", "version": "1", "licenses": [{"license": {"id": "AGPL-3.0-only"}}]},
            {"name": "Beta", "version": "2", "licenses": [{"expression": "MIT OR Apache-2.0"}]},
            {"name": "gamma", "version": "3"},
            {
                "name": "alpha",
                "version": "4",
                "licenses": [{"license": {"id": "MIT"}}, {"license": {"name": "Ours alone"}}],
            },
        ]
    }

    assert licences_not_allowed(bill) == [
        "alpha 4: MIT; Ours alone",
        "gamma 3: names no licence",
        "zeta 1: AGPL-3.0-only",
    ]
