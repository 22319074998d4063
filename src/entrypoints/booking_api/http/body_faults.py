"""The faults of an invalid body, all of them: the decoder stops at the first one."""

import re
from collections.abc import Callable, Iterator, Mapping
from json import JSONDecoder
from types import MappingProxyType
from typing import Any, Final, Literal, get_args, get_origin
from uuid import UUID

from msgspec import Struct, ValidationError
from msgspec.structs import fields

from booking_api.http.query import Fault, InvalidRequest, id_in

_LONGEST_NAME_SHOWN: Final = 64  # characters
_AT_FIELD: Final = re.compile(r"(?P<problem>.*) - at `\$\.?(?P<field>.*)`", re.DOTALL)
_NAMED_FIELD: Final = re.compile(r"Object (?P<problem>missing|contains).* field `(?P<field>.*)`", re.DOTALL)


def plain_document(raw: bytes) -> Any:
    """The body as plain JSON. Raises ValueError, and InvalidRequest for a field that is given twice."""
    return _PLAIN.decode(raw.decode())


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise InvalidRequest("body", "must not give a field twice")
    return document


# Made once: `json.loads` makes a decoder for each call that has a hook.
_PLAIN: Final = JSONDecoder(object_pairs_hook=_each_once)


def all_faults(kind: type[Struct], raw: bytes, error: ValidationError) -> InvalidRequest:
    """Every fault of a body that the decoder rejected, or the decoder's own if the body cannot be read as a whole."""
    try:
        document = plain_document(raw)
    except (ValueError, RecursionError):  # the decoder stopped before a worse fault
        return _explained(str(error))
    faults = faults_in(kind, document) if isinstance(document, dict) else []
    return InvalidRequest.of_all(faults) if faults else _explained(str(error))


def faults_in(kind: type[Struct], document: Mapping[str, Any]) -> list[Fault]:
    """Every field that is missing, of a wrong type or unknown: those of `kind` in their order, then the others.

    Ids must be in canonical form, which is stricter than the decoder. Types that are not checked here pass.
    """
    faults: list[Fault] = []
    known = {each.encode_name: each for each in fields(kind)}
    for name, each in known.items():
        if name in document:
            faults += _faults_of(each.type, name, document[name])
        elif each.required:
            faults.append((name, "is missing"))
    faults += [(name[:_LONGEST_NAME_SHOWN], "is not a field of this request") for name in document if name not in known]
    return faults


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
        is_valid, problem = _CHECKS[kind]
        if not is_valid(value):
            yield name, problem


_CHECKS: Final[Mapping[Any, tuple[Callable[[Any], bool], str]]] = MappingProxyType(
    {
        UUID: (lambda value: isinstance(value, str) and id_in(value) is not None, "must be a UUID"),
        str: (lambda value: isinstance(value, str), "must be text"),
        bool: (lambda value: isinstance(value, bool), "must be true or false"),
    }
)


def _explained(problem: str) -> InvalidRequest:
    """The decoder's error in the words of this API."""
    if named := _NAMED_FIELD.fullmatch(problem):
        is_missing = named["problem"] == "missing"
        return InvalidRequest(
            named["field"][:_LONGEST_NAME_SHOWN], "is missing" if is_missing else "is not a field of this request"
        )
    if not (placed := _AT_FIELD.fullmatch(problem)):
        return InvalidRequest("body", "must be a JSON object")
    words = placed["problem"].lower()
    expected = next((text for word, text in _EXPECTED if word in words), "text")
    return InvalidRequest(placed["field"], f"must be {expected}")


# The decoder's words and ours; its own would show the insides of our classes.
_EXPECTED: Final = (("uuid", "a UUID"), ("array", "a list"), ("length", "text of 1 to 255 characters"))
