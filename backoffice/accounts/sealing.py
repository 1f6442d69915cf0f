"""Sessions lie sealed in the database: they hold, for a while, secrets of signing in.

Among them the key of an authenticator app that is being set up, and the key of a reset link.
"""

import json
from typing import Any

from backoffice import keyring

USE = "session"


class SealedSerializer:
    """Serializes sessions as JSON, encrypted with the key ring (SESSION_SERIALIZER)."""

    def dumps(self, obj: Any) -> bytes:
        """Return the sealed JSON."""
        text = json.dumps(obj, separators=(",", ":"))
        return keyring.seal(text, use=USE).encode("ascii")

    def loads(self, data: bytes) -> Any:
        """Return what was sealed. Raises UnreadableError: an empty session to Django."""
        return json.loads(keyring.open_sealed(data.decode("ascii"), use=USE))
