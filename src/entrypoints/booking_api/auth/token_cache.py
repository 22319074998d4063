"""The tokens that were verified lately, so that a customer's next request need not be verified again."""

from __future__ import annotations

import threading
from hashlib import sha256

from booking_api.auth.claims import VerifiedToken


class TokenCache:
    """At most `most` verified tokens by digest: the text of a token, a password in effect, is not kept.

    Full, it drops those that have ended, and when that frees less than a tenth, the tenth that came first.
    Safe to share between threads. What is remembered was true when it was kept: the caller checks time and key.
    """

    def __init__(self, most: int) -> None:
        if most < 0:
            raise ValueError("the number of remembered tokens cannot be negative")
        self._most = most
        self._tokens: dict[bytes, VerifiedToken] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._tokens)

    def get(self, token: str) -> VerifiedToken | None:
        """What was kept for exactly this text, if anything. Takes no lock: reading one key of a dict is atomic."""
        return self._tokens.get(_digest(token))

    def keep(self, token: str, verified: VerifiedToken, *, now: float) -> None:
        """Remember it, at the cost of others when full; `now` tells which of them have ended."""
        if self._most == 0:
            return
        with self._lock:
            if len(self._tokens) >= self._most:
                self._make_room(now)
            self._tokens[_digest(token)] = verified

    def forget(self, token: str) -> None:
        """Remember it no more; nothing happens when it was not."""
        with self._lock:
            self._tokens.pop(_digest(token), None)

    def _make_room(self, now: float) -> None:
        # Rebuilt and swapped in, since readers take no lock. Once per tenth of `most`, so cheap on average.
        alive = [(digest, each) for digest, each in self._tokens.items() if now < each.validity.ends]
        enough = self._most - max(1, self._most // 10)
        self._tokens = dict(alive[max(0, len(alive) - enough) :])


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()
