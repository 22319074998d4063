"""The navigation of the site. A page that is missing here fails the build."""

from pathlib import Path
from typing import Any, Final

from booking_core.messages.envelopes import PUBLISHED
from booking_core.messages.payment_messages import CONSUMED

DOCS: Final = Path(__file__).parent
# What is below `source` are pages of the project that are not in `docs`.
OUTSIDE: Final = "source/"

Places = list[dict[str, Any]]


def site_map() -> Places:
    """The navigation, as zensical wants it. A page without a title here has its first heading as its title."""
    return [
        {"Start": ["index.md"]},
        {"Tutorials": ["tutorial/first-booking.md", "tutorial/as-a-library.md"]},
        {
            "How to": [
                {
                    "Build on it": [
                        "how-to/use-in-flask.md",
                        "how-to/use-in-fastapi.md",
                        "how-to/run-the-workers.md",
                        "how-to/write-an-adapter.md",
                    ]
                },
                {
                    "Connect it": [
                        "how-to/connect-auth0.md",
                        "how-to/connect-a-payment-service.md",
                        "kafka.md",
                    ]
                },
                {
                    "Run it": [
                        "how-to/deploy.md",
                        "how-to/run-on-two-machines.md",
                        "how-to/upgrade.md",
                    ]
                },
            ]
        },
        {
            "Operations": [
                "operations/what-to-do-when.md",
                "operations/runbook.md",
                "operations/find-a-booking.md",
                "operations/dead-letters.md",
                "operations/cancel-and-release.md",
                "operations/export.md",
                "operations/forget-a-user.md",
                "security.md",
            ]
        },
        {
            "Reference": [
                "reference/glossary.md",
                "reference/http.md",
                "reference/errors.md",
                "reference/commands.md",
                "reference/settings.md",
                {"Events": ["events/README.md", *(f"events/{name}.md" for name in (*PUBLISHED, *CONSUMED))]},
                "lifecycle.md",
                "metrics.md",
                "performance.md",
                "requirements.md",
                "versioning.md",
                {"Changes": f"{OUTSIDE}CHANGELOG.md"},
            ]
        },
        {
            "Explanation": [
                "architecture.md",
                "explanation/never-twice.md",
                "explanation/time.md",
                "explanation/money.md",
                "explanation/delivery.md",
                "explanation/stampede.md",
            ]
        },
        {"Decisions": ["adr/README.md", *decisions(), {"Contributing": f"{OUTSIDE}CONTRIBUTING.md"}]},
    ]


def decisions() -> list[str]:
    """The ADRs, in the order of their numbers."""
    return sorted(f"adr/{path.name}" for path in (DOCS / "adr").glob("[0-9]*.md"))


def pages_of(place: object) -> list[str]:
    """The pages of a part of the map, in its order."""
    if isinstance(place, str):
        return [place]
    parts = place.values() if isinstance(place, dict) else place if isinstance(place, list) else ()
    return [page for part in parts for page in pages_of(part)]
