"""`python -m booking_cli`."""

from booking_cli.main import main

main()
