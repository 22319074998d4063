"""The last step of every request that reached the application: the headers of all answers, and the account of it."""

from time import monotonic
from typing import Final

from flask import Response

from booking_api.http.access_log import AccessLog, ResponseRecord
from booking_api.http.cors import Cors
from booking_api.http.request import CORRELATION_HEADER, current_api_request
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
        request = current_api_request()
        headers = answer.headers
        headers.add(CORRELATION_HEADER, request.correlation_id)
        for name, text in _KEPT if request.may_be_cached else SAME_FOR_ALL:
            headers.add(name, text)
        self._cors.mark(request, answer)
        reservation = request.error_code or ("REPLAYED" if request.replayed else "CREATED")
        self._accounting.note(
            ResponseRecord(
                method=request.method,
                route=request.route,
                status=answer.status_code,
                seconds=monotonic() - request.began,
                waited=request.waited,
                correlation_id=request.correlation_id,
                code=request.error_code,
                reason=request.error_reason,
                user_id=request.user_id,
                booking_id=request.booking_id,
                outcome=reservation if request.endpoint == CREATE else "",
            )
        )
        return answer
