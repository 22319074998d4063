"""Dashboard, rules and runbook as they are in the repository, and what their queries ask for."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import promql_parser as promql
import yaml
from attrs import define, field

ROOT: Final = Path(__file__).parents[2]
PROMETHEUS: Final = ROOT / "deploy" / "prometheus"
RULE_TESTS: Final = ("alerts_test.yml", "each_alert_test.yml")
"""What `promtool test rules` tries."""
_GRAFANAS_OWN: Final = re.compile(r"\$__(rate_)?interval\b")
_BY_PATTERN: Final = (promql.MatchOp.Re, promql.MatchOp.NotRe)


def rules(*names: str) -> list[Mapping[str, Any]]:
    """Every rule of these files."""
    return [
        rule
        for name in names
        for group in yaml.safe_load((PROMETHEUS / name).read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    ]


def alerts() -> list[Mapping[str, Any]]:
    return rules("alerts.yml")


def recorded() -> set[str]:
    """The names that the recording rules make."""
    return {rule["record"] for rule in rules("rules.yml")}


def dashboard() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(
        (ROOT / "deploy" / "grafana" / "booking-core.json").read_text(encoding="utf-8")
    )
    return found


def panels() -> Iterator[Mapping[str, Any]]:
    """Those that show something."""
    return (each for each in dashboard()["panels"] if each["type"] != "row")


def queries() -> list[str]:
    """Everything that is asked of Prometheus, as Prometheus gets it."""
    asked = [rule["expr"] for rule in rules("rules.yml", "alerts.yml")]
    return asked + [
        _GRAFANAS_OWN.sub("5m", target["expr"]) for panel in panels() for target in panel.get("targets", ())
    ]


@define
class Asked:
    """What one query asks for.

    Metrics with their labels and a pattern for the value of each; labels it groups by; metrics whose growth it is.
    """

    selectors: list[tuple[str, list[tuple[str, str]]]] = field(factory=list)
    grouped: set[str] = field(factory=set)
    grown: set[str] = field(factory=set)

    @classmethod
    def by(cls, query: str) -> "Asked":
        """Raises ValueError if it is no PromQL."""
        asked = cls()
        promql.walk(promql.parse(query), asked._visit)
        return asked

    def _visit(self, node: promql.Expr) -> bool:
        # What is walked are a selector itself, and the range around one.
        match node:
            case promql.VectorSelector():
                self._select(node)
            case promql.MatrixSelector():
                self._select(node.vector_selector)
                self.grown.add(node.vector_selector.name or "")
            case promql.AggregateExpr() if node.modifier is not None:
                self.grouped |= set(node.modifier.labels)
            case promql.BinaryExpr() if node.modifier is not None and node.modifier.matching is not None:
                self.grouped |= set(node.modifier.matching.labels)
        return True

    def _select(self, selector: promql.VectorSelector) -> None:
        found = [
            (each.name, each.value if each.op in _BY_PATTERN else re.escape(each.value))
            for each in selector.matchers.matchers
        ]
        if (selector.name or "", found) not in self.selectors:
            self.selectors.append((selector.name or "", found))
