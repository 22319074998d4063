"""The entry point `rest` of the group `booking.catalog`."""

from collections.abc import Mapping

from booking_catalog.client import RestCatalog
from booking_core.errors import InvalidValue

_URL = "BOOKING_CATALOG_URL"


def create(settings: Mapping[str, str]) -> RestCatalog:
    """The REST client for `settings["BOOKING_CATALOG_URL"]`; connects to nothing yet.

    Raises InvalidValue, naming the setting, if it is missing, empty or no http URL. Reads no environment.
    """
    url = settings.get(_URL, "")
    if not url:
        raise InvalidValue(_URL, "must be set to the base URL of the Catalog Service")
    try:
        return RestCatalog(url)
    except InvalidValue as error:
        raise InvalidValue(_URL, error.problem) from None
