"""Idempotency keys of callers: the same request twice has one effect and one answer."""

from attrs import frozen


@frozen(kw_only=True)
class IdempotencyKey:
    """One key as a caller sent it. Its scope is user and operation (for HTTP: method and path).

    `fingerprint` stands for the request's content: equal content, equal fingerprint.
    """

    user_id: str
    operation: str
    key: str
    fingerprint: str
