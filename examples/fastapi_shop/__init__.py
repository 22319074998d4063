"""A shop in FastAPI that reserves seats inside its own database transactions."""

from fastapi_shop.app import create_app

__all__ = ["create_app"]
