"""The link that signs in the one user of local mode: printed at start, good once, for a few minutes."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import timedelta
from time import monotonic

from combine.auth.secrets import digest, new_secret

LIFETIME = timedelta(minutes=10)


class OneTimeLinks:
    """Secrets that are good once. They live in this process only, as hashes."""

    def __init__(self, lifetime: timedelta = LIFETIME, *, clock: Callable[[], float] = monotonic) -> None:
        self._lifetime_s = lifetime.total_seconds()
        self._clock = clock
        self._open: dict[str, float] = {}
        """Hash -> the end of its time."""

    def issue(self) -> str:
        """A new secret, to be put into a link. Those issued before stay good."""
        self._sweep()
        secret = new_secret()
        self._open[digest(secret)] = self._clock() + self._lifetime_s
        return secret

    def redeem(self, secret: str) -> bool:
        """Whether the secret was good; from now on it is not."""
        self._sweep()
        given = digest(secret)
        found = next((known for known in self._open if hmac.compare_digest(known, given)), None)
        if found is None:
            return False
        del self._open[found]
        return True

    def _sweep(self) -> None:
        now = self._clock()
        self._open = {known: end for known, end in self._open.items() if end > now}
