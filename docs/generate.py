"""Write the pages of the documentation that are generated from the code: `python docs/generate.py`."""

from pathlib import Path

PAGES = Path(__file__).parent


def pages() -> dict[str, str]:
    """Every generated file, by its path below `docs`."""
    # Beside this file: importable when this is run as a program.
    from api_pages import errors_page, routes_page
    from command_pages import commands_page
    from event_pages import event_files
    from lifecycle_drawing import drawing
    from lifecycle_page import lifecycle_page
    from metrics_page import metrics_page
    from setting_pages import settings_page

    return {
        "lifecycle.md": lifecycle_page(),
        "images/lifecycle.svg": drawing(),
        "metrics.md": metrics_page(),
        "reference/settings.md": settings_page(),
        "reference/commands.md": commands_page(),
        "reference/http.md": routes_page(),
        "reference/errors.md": errors_page(),
        **{f"events/{name}": content for name, content in event_files().items()},
    }


def main() -> None:
    """Write every generated file; delete files of events that no longer exist."""
    files = pages()
    for name, content in files.items():
        (PAGES / name).parent.mkdir(exist_ok=True)
        (PAGES / name).write_text(content, encoding="utf-8")
    for old in (PAGES / "events").iterdir():
        if f"events/{old.name}" not in files:
            old.unlink()


if __name__ == "__main__":
    main()
