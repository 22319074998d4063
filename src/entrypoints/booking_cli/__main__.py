"""The program `booking`, also as `python -m booking_cli`. Imports no library before it can name a missing extra."""

import sys

from booking_service.extras import extra_needed, missing_extra


def main() -> None:
    """Run the program; if Click is not installed, print the extra that installs it and exit with 1."""
    try:
        from booking_cli.main import main as run_program
    except ModuleNotFoundError as error:
        extra = missing_extra(error)
        if extra is None:
            raise
        sys.exit(f"error: {extra_needed('booking', extra)}")
    except KeyboardInterrupt:
        sys.exit("error: interrupted")
    run_program()


if __name__ == "__main__":
    main()
