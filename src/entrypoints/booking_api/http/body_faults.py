"""All that is wrong with a body, where the decoder stops at the first."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, get_args, get_origin
from uuid import UUID

from msgspec import Struct
from msgspec.structs import fields

from booking_api.http.query import Fault, id_in

_MOST_OF_A_NAME: Final = 64


def faults_in(kind: type[Struct], document: Mapping[str, Any]) -> list[Fault]:
    """Every field that is missing, of a wrong type or unknown: those of `kind` in their order, then the others.

    Ids must be in their canonical form, which is stricter than the decoder. Types that are not checked here pass.
    """
    found: list[Fault] = []
    known = {each.encode_name: each for each in fields(kind)}
    for name, each in known.items():
        if name in document:
            found += _faults_of(each.type, name, document[name])
        elif each.required:
            found.append((name, "is missing"))
    found += [(name[:_MOST_OF_A_NAME], "is not a field of this request") for name in document if name not in known]
    return found


def _faults_of(kind: Any, name: str, value: Any) -> Iterator[Fault]:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            yield name, f"must be one of {', '.join(get_args(kind))}"
    elif get_origin(kind) is list:
        if not isinstance(value, list):
            yield name, "must be a list"
            return
        (inner,) = get_args(kind)
        for place, each in enumerate(value):
            yield from _faults_of(inner, f"{name}[{place}]", each)
    elif kind in _CHECKS:
        holds, problem = _CHECKS[kind]
        if not holds(value):
            yield name, problem


_CHECKS: Final[Mapping[Any, tuple[Callable[[Any], bool], str]]] = MappingProxyType(
    {
        UUID: (lambda value: isinstance(value, str) and id_in(value) is not None, "must be a UUID"),
        str: (lambda value: isinstance(value, str), "must be text"),
        bool: (lambda value: isinstance(value, bool), "must be true or false"),
    }
)
