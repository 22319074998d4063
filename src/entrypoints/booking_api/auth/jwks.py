"""The issuer's keys, read from its JWKS address and kept fresh. `KeySource` and `FixedKeys` are here too, by import."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWKClient
from jwt.exceptions import PyJWTError

from booking_api.auth.keys import (
    FixedKeys,
    KeySource,
    KeysUnavailable,
    MalformedKeySet,
    UnknownKey,
    signing_keys,
)

__all__ = ["FixedKeys", "KeySource", "KeysUnavailable", "MalformedKeySet", "RemoteKeys", "UnknownKey"]

# With an unknown `kid`, and after a first failure with no keys at all, a request waits only this long: whoever sends
# made-up tokens while the JWKS is slow must not hold a thread for the length of a timeout.
SHORT_WAIT_SECONDS: Final = 1.0
# And so long those wait for an unknown `kid` who have not begun the search themselves: no longer than a JWKS that is
# well needs to answer, for there may be as many of them as there are threads.
BRIEF_WAIT_SECONDS: Final = 0.1
# With no key at all every request is a 503: look again soon.
FIRST_RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class _Fetch:
    """One request for the JWKS, under way in a thread of its own; `done` is set when its outcome is in place."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.done = threading.Event()

    def wait(self, now: float, longest: float) -> None:
        """Wait for its outcome until it has taken `longest` seconds: one that hangs holds each caller less and less."""
        self.done.wait(max(0.0, self.started_at + longest - now))


class RemoteKeys:
    """A KeySource over HTTP: fetches nothing until the first key is asked for, then at most once at a time.

    - Keys older than `max_age_seconds` (10 min) are served while a fetch replaces them in the background; older
      than twice that (nobody called for a while), the caller waits for it first. So a key that the issuer has
      withdrawn is refused at the latest one fetch after its keys turned old.
    - A `kid` that is not among them starts a fetch, at most once per `cooldown_seconds` (5 s) whatever callers make up:
      a new key is found at once, or after the cooldown if somebody has just used it up. Who began it waits a second at
      most, others a tenth; then KeysUnavailable, for the key may be among those that are on their way.
    - When the JWKS cannot be reached or does not answer with a JWKS, the last keys are served without limit, without
      waiting, and it is tried again every `cooldown_seconds`. With no keys yet: KeysUnavailable, tried every second.
    - A well-formed JWKS without usable keys counts: the issuer has withdrawn them all.

    Redirects are not followed. `clock` is monotonic, in seconds. Raises ValueError for an address that is not HTTP.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 3.0,
        max_age_seconds: float = 600.0,
        cooldown_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        try:
            self._client = PyJWKClient(url, cache_jwk_set=False, timeout=timeout_seconds)
        except PyJWTError as error:
            raise ValueError(str(error)) from error
        self._patience = 2 * timeout_seconds  # to connect and to read
        self._short_wait = min(SHORT_WAIT_SECONDS, self._patience)
        self._max_age = max_age_seconds
        self._cooldown = cooldown_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._known: Mapping[str, RSAPublicKey] | None = None
        self._read_at = self._next_try = self._next_search = float("-inf")
        self._failing = False
        self._fetch: _Fetch | None = None

    def key(self, kid: str) -> RSAPublicKey:
        """See KeySource.key. Waits for the network as the class says, otherwise answers from memory."""
        known = self._known
        if known is None or self._is_old(self._clock()):
            known = self._renewed()
        found = known.get(kid) or self._searched(kid)
        if found is None:
            raise UnknownKey(kid)
        return found

    def current(self, kid: str) -> RSAPublicKey | None:
        """See KeySource.current. Keys that are due for another look are not current."""
        known = self._known
        return None if known is None or self._is_old(self._clock()) else known.get(kid)

    def _is_old(self, now: float) -> bool:
        return now - self._read_at > self._max_age

    def _renewed(self) -> Mapping[str, RSAPublicKey]:
        with self._lock:
            now = self._clock()
            under_way = self._under_way(now)
            # Asked again: whoever had the lock before may have brought the keys.
            if under_way is None and self._is_old(now) and now >= self._next_try:
                under_way = self._start(now)
            wait = 0.0  # seconds
            if self._known is None:
                wait = self._short_wait if self._failing else self._patience
            elif now - self._read_at > 2 * self._max_age and not self._failing:
                wait = self._patience
        if under_way is not None:
            under_way.wait(now, wait)
        if self._known is None:
            raise KeysUnavailable("the JWKS of the issuer could not be read")
        return self._known

    def _searched(self, kid: str) -> RSAPublicKey | None:
        with self._lock:
            now = self._clock()
            under_way = self._under_way(now)
            begins = under_way is None and now >= self._next_search
            if begins:
                self._next_search = now + self._cooldown
                under_way = self._start(now)
            elif self._failing:
                under_way = None
        if under_way is not None:
            under_way.wait(now, self._short_wait if begins else min(BRIEF_WAIT_SECONDS, self._short_wait))
        found = (self._known or {}).get(kid)
        if found is None and under_way is not None and not under_way.done.is_set():
            raise KeysUnavailable("the keys of the issuer are being read")
        return found

    def _under_way(self, now: float) -> _Fetch | None:
        """The fetch to wait for. One that hangs (a body that drips in) is given up, its outcome will not count."""
        if self._fetch is not None and now - self._fetch.started_at > 5 * self._patience:
            self._fetch = None
        return self._fetch

    def _start(self, now: float) -> _Fetch:
        fetch = _Fetch(now)
        threading.Thread(target=self._run, args=(fetch,), name="jwks", daemon=True).start()
        self._fetch = fetch
        return fetch

    def _run(self, fetch: _Fetch) -> None:
        keys: Mapping[str, RSAPublicKey] | None = None
        try:
            keys = signing_keys(self._client.fetch_data(), self._known)
        except (PyJWTError, OSError, ValueError, RecursionError) as error:
            _log.warning("jwks_unreadable", error=str(error)[:200], stale_keys=len(self._known or ()))
        finally:
            self._settle(fetch, keys)

    def _settle(self, fetch: _Fetch, keys: Mapping[str, RSAPublicKey] | None) -> None:
        with self._lock:
            if self._fetch is fetch:
                self._fetch = None
                self._failing = keys is None
                if keys is not None:
                    self._known, self._read_at = keys, fetch.started_at
                else:
                    pause = FIRST_RETRY_SECONDS if self._known is None else self._cooldown
                    self._next_try = self._clock() + pause
        fetch.done.set()
