"""A shop in Flask that reserves seats inside its own database transactions."""

from flask_shop.app import create_app

__all__ = ["create_app"]
