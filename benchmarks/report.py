"""Figures as a table for people."""

from typing import Any


def table(figures: dict[str, Any]) -> str:
    """One line a run, and the medians."""
    head = "              per second   p50 ms   p95 ms   p99 ms   naive/s   ratio   errors   connections"
    lines = [f"reservations through HTTP, {figures['connections']} connections, {figures['seconds']} s a run", head]
    for number, run in enumerate(figures["runs"], 1):
        lines.append(_line(f"run {number}", run, str(run["errors"])))
    return "\n".join([*lines, _line("median", figures["median"], "")])


def _line(name: str, run: dict[str, Any], errors: str) -> str:
    return (
        f"{name:<12}{run['per_second']:>12.0f}{run['p50_ms']:>9.1f}{run['p95_ms']:>9.1f}{run['p99_ms']:>9.1f}"
        f"{run['naive_per_second']:>10.0f}{run['ratio']:>8.3f}{errors:>9}{run['db_connections']:>14.0f}"
    )
