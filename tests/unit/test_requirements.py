"""`docs/requirements.md`: every line of the specification has its row, and every name in it exists."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

from booking_core.contracts import EVENT_BUS_CONTRACTS, STORE_CONTRACTS

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "requirements.md"
HEAD: Final = ["id", "asked for", "answer", "done by", "shown by"]
STATES: Final = ("Done", "Answered", "Measured", "Not shown here", "Out of scope")
CONTRACTS: Final = "src/booking_core/contracts/"

# What the customer's specification asks, in its order; P, SC, OQ, API, EV, DEP, CL and AS are our names for what it
# gives no id. A number behind a point is an acceptance criterion, a line of a solution, or a part of an endpoint.
SPECIFICATION: Final = """
P-1 P-2 P-3
SC-1 SC-2 SC-3 SC-4 SC-5 SC-6 SC-7 SC-8
US-01 US-01.1 US-01.2 US-01.3 US-01.4
US-02 US-02.1 US-02.2 US-02.3 US-02.4
US-03 US-03.1 US-03.2 US-03.3 US-03.4
US-04 US-04.1 US-04.2 US-04.3 US-04.4
FR-01 FR-02 FR-03 FR-04 FR-05 FR-06 FR-07
FR-08 FR-09 FR-10 FR-11 FR-12 FR-13
FR-14 FR-15 FR-16 FR-17
NFR-01 NFR-02 NFR-03 NFR-04 NFR-05 NFR-06 NFR-07 NFR-08 NFR-09
BR-01 BR-02 BR-03 BR-04
EC-6.1 EC-6.1.1 EC-6.1.2 EC-6.1.3 OQ-6.1.1 OQ-6.1.2
EC-6.2 EC-6.2.1 EC-6.2.2 EC-6.2.3 OQ-6.2.1 OQ-6.2.2
EC-6.3 EC-6.3.1 EC-6.3.2 OQ-6.3.1 OQ-6.3.2
EC-6.4 EC-6.4.1 EC-6.4.2 EC-6.4.3 OQ-6.4.1 OQ-6.4.2
API-7.1 API-7.1.1 API-7.1.2 API-7.1.3 API-7.2 API-7.3 API-7.4
EV-8.1 EV-8.2 EV-8.3 EV-1 EV-2 EV-3 EV-4 EV-5
DEP-9.1.1 DEP-9.1.2 DEP-9.2.1 DEP-9.2.2 DEP-9.2.3
CL-1 CL-2 CL-3 CL-4 CL-5 CL-6 CL-7 CL-8 CL-9 CL-10 CL-11 CL-12
AS-1 AS-2 AS-3 AS-4 AS-5 AS-6
""".split()


@frozen(kw_only=True)
class Line:
    """A row of the page. `code` and `tests` are the references of its last two cells."""

    id: str
    answer: str
    code: list[str]
    tests: list[str]


def lines() -> list[Line]:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("|") and not line.startswith("|---")
    ]
    assert [row for row in rows if len(row) != len(HEAD)] == []
    return [
        Line(id=row[0], answer=row[2], code=references(row[3]), tests=references(row[4])) for row in rows if row != HEAD
    ]


def references(cell: str) -> list[str]:
    """What a cell names; a dash is nothing. Anything else in it is a mistake."""
    if cell == "–":
        return []
    found = [re.fullmatch("`([^`]+)`", each) for each in cell.split("<br>")]
    assert None not in found, cell
    return [each[1] for each in found if each]


@cache
def names_in(path: Path) -> frozenset[str]:
    """What a module defines: functions, classes and constants, and as `Class::name` what its classes define."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(_defined(body)) | {
        f"{each.name}::{name}" for each in body if isinstance(each, ast.ClassDef) for name in _defined(each.body)
    }


def _defined(body: list[ast.stmt]) -> list[str]:
    names: list[str] = []
    for each in body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(each.name)
        targets = (
            each.targets if isinstance(each, ast.Assign) else [each.target] if isinstance(each, ast.AnnAssign) else []
        )
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def problem_with(reference: str) -> str:
    """Why it leads nowhere; empty if it leads somewhere. `file::name[case]`: the case is a name in the file too."""
    place, _, case = reference.removesuffix("]").partition("[")
    file, _, name = place.partition("::")
    path = ROOT / file
    if not path.is_file():
        return f"{reference}: there is no such file"
    wanted = {each for each in (name, case) if each}
    missing = wanted - names_in(path) if wanted else set()
    return f"{reference}: {', '.join(sorted(missing))} is not defined there" if missing else ""


def is_proof(reference: str) -> bool:
    """pytest collects it, a suite that it collects runs it, or `make bench` does."""
    file, _, name = reference.partition("::")
    first, last = name.split("::")[0], name.split("::")[-1]
    if file.startswith(CONTRACTS):
        suites = {suite.__name__ for suite in (*STORE_CONTRACTS, *EVENT_BUS_CONTRACTS)} | {"CatalogContract"}
        return first in suites and (last == first or last.startswith("test_"))
    if file.startswith("benchmarks/scenarios/"):
        return name == "SCENARIO"
    in_tests = file.startswith(("tests/unit/", "tests/integration/")) and file.rpartition("/")[2].startswith("test_")
    return in_tests and (not name or last.startswith(("test_", "Test")))


def test_every_line_of_the_specification_has_one_row() -> None:
    assert [line.id for line in lines()] == SPECIFICATION


def test_every_name_on_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = [each for each in re.findall("`([^`]+)`", text) if re.match(r"(src|tests|docs|benchmarks)/", each)]

    assert len(named) > 300
    assert [problem for problem in dict.fromkeys(map(problem_with, named)) if problem] == []


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.id)
def test_an_answer_says_where_it_is_done_and_shown(line: Line) -> None:
    state = next((state for state in STATES if line.answer.startswith(f"**{state}.**")), "")

    assert state, line.answer
    assert [each for each in line.code if not each.startswith(("src/", "benchmarks/", "docs/"))] == []
    assert [each for each in line.tests if not is_proof(each)] == []
    assert len(set(line.code + line.tests)) == len(line.code) + len(line.tests), "named twice"
    assert (state == "Answered") == line.id.startswith("OQ-")
    if state in ("Done", "Answered", "Measured"):
        assert line.code
        assert line.tests
    if state == "Measured":
        assert any(each.startswith("benchmarks/") for each in line.tests)


def test_links_lead_somewhere_inside_the_project() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))

    places = {target: (PAGE.parent / target).resolve() for target in targets}
    assert places
    assert [target for target, place in places.items() if not place.is_file() or ROOT not in place.parents] == []


def test_every_id_in_the_text_is_that_of_a_row() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert set(re.findall(r"\b[A-Z]{1,3}-\d+(?:\.\d+)*", text)) <= set(SPECIFICATION)


@pytest.mark.parametrize(
    "reference",
    [
        "src/booking_core/policy.py",
        "src/booking_core",
        "src/booking_core/domain/policies.py::br_05",
        "src/booking_core/domain/policies.py::timedelta",
        "src/booking_core/domain/booking.py::confirm",
        "src/booking_core/domain/booking.py::Booking::pay",
        "tests/unit/test_requirements.py::is_proof::state",
        "tests/unit/test_requirements.py::is_proof[nothing]",
    ],
)
def test_what_does_not_exist_is_found(reference: str) -> None:
    assert problem_with(reference)


def test_what_exists_is_found_too() -> None:
    assert problem_with("src/booking_core/domain/booking.py::Booking::confirm") == ""
    assert problem_with("tests/unit/test_requirements.py::is_proof[ROOT]") == ""


@pytest.mark.parametrize(
    "reference",
    [
        "tests/support/builders.py",
        "tests/unit/test_requirements.py::is_proof",
        "src/booking_core/contracts/store/fixture.py::Scenery",
        "src/booking_core/contracts/store/expiry.py",
        "src/booking_core/contracts/store/expiry.py::ExpiryContract::_same_events",
        "src/booking_core/domain/policies.py::br_02_is_overdue",
        "benchmarks/measuring/report.py::table",
    ],
)
def test_what_nothing_runs_is_no_proof(reference: str) -> None:
    assert not is_proof(reference)
