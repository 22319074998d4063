"""The last step of every request that reached the application: the headers of all answers, and the account of it."""

from time import perf_counter
from typing import Final

from flask import Response

from booking_api.http.access_log import AccessLog, ResponseRecord
from booking_api.http.api_request import current_api_request
from booking_api.http.correlation import HEADER
from booking_api.http.cors import Cors
from booking_api.routes.bookings import CREATE

SAME_FOR_ALL: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store"))
"""Headers that every answer has, but for those that may be kept."""

_KEPT: Final = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache"))


class Finisher:
    """Called once for every answer."""

    def __init__(self, cors: Cors, accounting: AccessLog) -> None:
        self._cors = cors
        self._accounting = accounting

    def finish(self, answer: Response) -> Response:
        """The same answer with its headers, counted and logged."""
        exchange = current_api_request()
        headers = answer.headers
        headers.add(HEADER, exchange.correlation_id)
        for name, text in _KEPT if exchange.may_be_kept else SAME_FOR_ALL:
            headers.add(name, text)
        self._cors.mark(exchange, answer)
        reservation = exchange.error_code or ("REPLAYED" if exchange.replayed else "CREATED")
        self._accounting.note(
            ResponseRecord(
                method=exchange.method,
                route=exchange.route,
                status=answer.status_code,
                seconds=perf_counter() - exchange.began,
                waited=exchange.waited,
                correlation_id=exchange.correlation_id,
                code=exchange.error_code,
                reason=exchange.error_reason,
                user_id=exchange.user_id,
                booking_id=exchange.booking_id,
                outcome=reservation if exchange.endpoint == CREATE else "",
            )
        )
        return answer
