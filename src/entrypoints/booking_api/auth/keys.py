"""The issuer's public keys: a fixed set of them, and those of a JWKS address, fetched and kept fresh."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKClient
from jwt.exceptions import PyJWTError

from booking_api.auth.tokens import KeysUnavailable, UnknownKey
from booking_api.auth.verifier import CachedKeys

SMALLEST_KEY_BITS: Final = 2048
# Seconds that a request waits at most with an unknown `kid`, and with no keys at all after a first failure: a caller
# that sends made-up tokens while the JWKS is slow must not occupy a thread for a whole timeout.
SHORT_WAIT_SECONDS: Final = 1.0
# Seconds that the other requests with an unknown `kid` wait for the fetch that one of them started: a healthy JWKS
# responds within it, and there may be as many such requests as threads.
BRIEF_WAIT_SECONDS: Final = 0.1
# Seconds between attempts while there is no key at all: until then every request is a 503.
FIRST_RETRY_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class MalformedKeySet(ValueError):
    """A document that is not a JWKS: not an object, or without a list of keys."""


class FixedKeys(CachedKeys):
    """A KeySource over one JWKS document, which never changes. Raises MalformedKeySet."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(time.monotonic)
        self._cache(signing_keys(document), until=float("inf"))

    def _fetched(self, kid: str) -> RSAPublicKey:
        raise UnknownKey(kid)


def signing_keys(document: object, known: Mapping[str, RSAPublicKey] | None = None) -> dict[str, RSAPublicKey]:
    """The RS256 keys of a JWKS document by `kid`, perhaps none; of a repeated `kid` the first one.

    Ignores entries of other types, uses and sizes, without a `kid`, or malformed (RFC 7517 §5). A key that is in
    `known` under the same `kid` is returned as that same object. Raises MalformedKeySet.
    """
    entries = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise MalformedKeySet("not a JSON object with a list of keys")
    found: dict[str, RSAPublicKey] = {}
    for entry in entries:
        key = _signing_key(entry)
        if key is not None and entry["kid"] not in found:
            before = (known or {}).get(entry["kid"])
            found[entry["kid"]] = before if before == key and before is not None else key
    return found


def _signing_key(entry: object) -> RSAPublicKey | None:
    if not isinstance(entry, dict) or not _is_for_rs256(entry):
        return None
    try:
        key = PyJWK(entry, "RS256").key
    except PyJWTError:
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size >= SMALLEST_KEY_BITS else None


def _is_for_rs256(entry: dict[str, Any]) -> bool:
    operations = entry.get("key_ops", ["verify"])
    return (
        isinstance(entry.get("kid"), str)
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
        and isinstance(operations, list)
        and "verify" in operations
    )


class _Fetch:
    """A fetch of the JWKS in a thread of its own; `done` is set when its keys can be used, or it has failed."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.done = threading.Event()

    def wait(self, now: float, longest: float) -> None:
        """Wait until the fetch has taken `longest` seconds in all: if it hangs, each caller waits a shorter time."""
        self.done.wait(max(0.0, self.started_at + longest - now))


class RemoteKeys(CachedKeys):
    """A KeySource over HTTP. Fetches nothing before the first key is requested, and then once at a time.

    - Keys older than `max_age_seconds` (10 min) are used while a fetch replaces them in the background; keys older than
      twice that (there was no request for a while) are replaced first. So a withdrawn key is rejected at the latest one
      fetch after the keys have become old.
    - An unknown `kid` starts a fetch, at most one per `cooldown_seconds` (5 s) whatever the callers send: a new key is
      found at once, or after the cooldown. The request that started the fetch waits up to 1 s, others
      `brief_wait_seconds`; then they raise KeysUnavailable, because the key may be among those being fetched.
    - If the fetch fails, the last keys are used without limit and without waiting, and the fetch is repeated every
      `cooldown_seconds`. Without any keys: KeysUnavailable, and a fetch every second.
    - `current` has old keys as well, while a fetch that replaces them is under way (for the time of its timeouts) and
      until the next attempt after a failed one: in an outage an event loop goes on without `key`.
    - A well-formed JWKS without usable keys is valid: the issuer has withdrawn them all.
    - `ensure_loaded` fetches as well, every `cooldown_seconds` until there has been a key, and never after that.

    Redirects are not followed. `clock` is monotonic, in seconds. Raises ValueError for an address that is not HTTP.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float = 3.0,
        max_age_seconds: float = 600.0,
        cooldown_seconds: float = 5.0,
        brief_wait_seconds: float = BRIEF_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(clock)
        self._url = url
        try:
            self._client = PyJWKClient(url, cache_jwk_set=False, timeout=timeout_seconds)
        except PyJWTError as error:
            raise ValueError(str(error)) from error
        self._longest_wait = 2 * timeout_seconds  # to connect and to read
        self._short_wait = min(SHORT_WAIT_SECONDS, self._longest_wait)
        self._brief_wait = min(brief_wait_seconds, self._short_wait)
        self._max_age = max_age_seconds
        self._cooldown = cooldown_seconds
        self._lock = threading.Lock()
        self._known: Mapping[str, RSAPublicKey] | None = None
        self._read_at = self._next_try = self._next_search = self._next_load = float("-inf")
        self._failing = False
        self._fetch: _Fetch | None = None

    def ensure_loaded(self) -> bool:
        """See KeySource.ensure_loaded. The call that starts a fetch waits for it, 1 s at most; others do not."""
        if not self._had_keys:
            fetch = None
            with self._lock:
                now = self._clock()
                if now >= self._next_load and self._fetch_under_way(now) is None:
                    self._next_load = now + self._cooldown
                    fetch = self._start(now)
            if fetch is not None:
                fetch.wait(now, self._short_wait)
        return self._had_keys

    def _fetched(self, kid: str) -> RSAPublicKey:
        known = self._known
        if known is None or self._is_old(self._clock()):
            known = self._renewed()
        found = known.get(kid) or self._searched(kid)
        if found is None:
            raise UnknownKey(kid)
        return found

    def _is_old(self, now: float) -> bool:
        return now - self._read_at > self._max_age

    def _renewed(self) -> Mapping[str, RSAPublicKey]:
        with self._lock:
            now = self._clock()
            fetch = self._fetch_under_way(now)
            # Checked again: a fetch may have ended while this thread waited for the lock.
            if fetch is None and self._is_old(now) and now >= self._next_try:
                fetch = self._start(now)
            wait = 0.0  # seconds
            if self._known is None:
                wait = self._short_wait if self._failing else self._longest_wait
            elif not self._may_be_used(now):
                wait = self._longest_wait
        if fetch is not None:
            fetch.wait(now, wait)
        if self._known is None:
            raise KeysUnavailable("the JWKS of the issuer could not be read")
        return self._known

    def _searched(self, kid: str) -> RSAPublicKey | None:
        """Search for an unknown `kid` among the keys of a fetch."""
        with self._lock:
            now = self._clock()
            fetch = self._fetch_under_way(now)
            begins = fetch is None and now >= self._next_search
            if begins:
                self._next_search = now + self._cooldown
                fetch = self._start(now)
            elif self._failing:
                fetch = None
        if fetch is not None:
            fetch.wait(now, self._short_wait if begins else self._brief_wait)
        found = (self._known or {}).get(kid)
        if found is None and fetch is not None and not fetch.done.is_set():
            raise KeysUnavailable("the keys of the issuer are being read")
        return found

    def _fetch_under_way(self, now: float) -> _Fetch | None:
        """The present fetch. One that hangs (a body that arrives byte by byte) is abandoned; its keys are not used."""
        if self._fetch is not None and now - self._fetch.started_at > 5 * self._longest_wait:
            self._fetch = None
        return self._fetch

    def _start(self, now: float) -> _Fetch:
        fetch = _Fetch(now)
        threading.Thread(target=self._run, args=(fetch,), name="jwks", daemon=True).start()
        self._fetch = fetch
        if self._known is not None and self._may_be_used(now):
            self._keep(self._known, until=now + self._longest_wait)
        return fetch

    def _may_be_used(self, now: float) -> bool:
        """Whether the known keys are used although they are old: no request waits for the fetch that replaces them."""
        return self._failing or now - self._read_at <= 2 * self._max_age

    def _keep(self, known: Mapping[str, RSAPublicKey], until: float) -> None:
        """Let the known keys count as fresh, because no other fetch can start before that moment."""
        self._cache(known, max(until, self._read_at + self._max_age))

    def _run(self, fetch: _Fetch) -> None:
        keys: Mapping[str, RSAPublicKey] | None = None
        try:
            keys = signing_keys(self._client.fetch_data(), self._known)
        except (PyJWTError, OSError, ValueError, RecursionError) as error:
            _log.warning("jwks_unreadable", url=self._url, error=str(error)[:200], stale_keys=len(self._known or ()))
        finally:
            self._settle(fetch, keys)

    def _settle(self, fetch: _Fetch, keys: Mapping[str, RSAPublicKey] | None) -> None:
        with self._lock:
            if self._fetch is fetch:
                self._fetch = None
                self._failing = keys is None
                if keys is not None:
                    self._known, self._read_at = keys, fetch.started_at
                    self._cache(keys, until=fetch.started_at + self._max_age)
                else:
                    pause = FIRST_RETRY_SECONDS if self._known is None else self._cooldown
                    self._next_try = self._clock() + pause
                    if self._known is not None:
                        self._keep(self._known, until=self._next_try)
        fetch.done.set()
