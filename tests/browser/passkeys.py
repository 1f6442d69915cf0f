"""A phone with passkeys, as Chromium has it: over the DevTools protocol."""

from typing import Any

from playwright.sync_api import Page


class Phone:
    """A virtual authenticator of one browser window, whose owner always confirms."""

    def __init__(self, page: Page) -> None:
        """Connect it."""
        self._cdp = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        answer: dict[str, Any] = self._cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self._id = answer["authenticatorId"]

    def keys(self) -> int:
        """Return how many passkeys it holds."""
        answer = self._cdp.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return len(answer["credentials"])

    def refuse(self) -> None:
        """Let its owner not be recognised from now on."""
        self._cdp.send(
            "WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": False}
        )
