"""Passwords in URLs, and in keywords and values as libpq takes them."""

import pytest

from booking_telemetry.masking import masked_url, passwords_in


@pytest.mark.parametrize(
    ("text", "shown", "passwords"),
    [
        ("postgresql://u:hunter2@h/db", "postgresql://u:***@h/db", ("hunter2",)),
        ("postgresql://h/db?user=u&password=hunter2", "postgresql://h/db?user=u&password=***", ("hunter2",)),
        ("host=h password=hunter2 dbname=db", "host=h password=*** dbname=db", ("hunter2",)),
        ("password = 'it\\'s a' host=h", "password = *** host=h", ("'it\\'s a'", "it's a")),
        ("host=h sslpassword=one scram_client_key=two", "host=h sslpassword=*** scram_client_key=***", ("one", "two")),
    ],
)
def test_a_password_is_found_and_masked(text: str, shown: str, passwords: tuple[str, ...]) -> None:
    assert masked_url(text) == shown
    assert passwords_in(text) == passwords
