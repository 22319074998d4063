"""JSON as we write it on the wire: amounts are numbers with all their decimals, never floats."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from json import dumps
from typing import Any


def to_json(value: Any) -> str:
    """Compact JSON of mappings, sequences, text, whole numbers, booleans, None and Decimal; keys keep their order.

    A Decimal keeps its written decimals (`150.00`). Anything else raises TypeError: a float would lose digits.
    """
    if isinstance(value, Decimal):
        return format(value, "f")
    if value is None or isinstance(value, str | bool | int):
        return dumps(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{dumps(key)}:{to_json(each)}" for key, each in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(to_json, value)) + "]"
    raise TypeError(f"{type(value).__name__} has no place in our JSON")
