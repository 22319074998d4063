"""One component of a service, examined by the doctor."""

from typing import Any

from booking_core.ports import Finding, Grade
from booking_service.composition import Composition
from booking_service.doctor.components import Component
from booking_service.doctor.examination import examine


def examined(component: Component, environ: dict[str, str], **how: Any) -> dict[str, Finding]:
    """The findings about that component, by check; the settings are in order."""
    settings, *findings = examine(environ, Composition, only=[component], **how)
    assert settings.grade is Grade.OK, settings
    by_check = {finding.check: finding for finding in findings}
    assert len(by_check) == len(findings), "each check is told once"
    for finding in findings:
        assert bool(finding.advice) == (finding.grade in (Grade.TROUBLE, Grade.WARNING)), finding
        assert finding.found.isprintable(), finding
    return by_check


def grades(findings: dict[str, Finding]) -> dict[str, str]:
    return {check: finding.grade.value for check, finding in findings.items()}
