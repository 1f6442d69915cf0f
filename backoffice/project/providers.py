"""The providers of single sign-on, as the environment names them."""

import json
import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from backoffice.project import env

_NEEDED = {"id", "name", "server_url", "client_id"}
_MORE = {
    "secret_env",
    "secret_file",
    "scope",
    "groups_claim",
    "roles",
    "staff",
    "makes_accounts",
    "links_by_mail",
    "trusts_factor",
    "strong",
}


def read(name: str, *, production: bool) -> list[dict[str, Any]]:
    """Return the providers of the JSON in `name`, each with its `secret`.

    The secret itself stands in the variable `secret_env` or the file `secret_file`. Raises
    ImproperlyConfigured for anything that is not as docs/signing-in.md says.
    """
    try:
        rows = json.loads(env.text(name, "[]") or "[]")
    except json.JSONDecodeError as error:
        raise ImproperlyConfigured(f"{name} is no JSON: {error}.") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ImproperlyConfigured(f"{name} must be a list of providers.")
    found = [_checked(name, row, production=production) for row in rows]
    if len({row["id"] for row in found}) < len(found):
        raise ImproperlyConfigured(f"{name}: two providers have the same id.")
    return found


def _checked(name: str, row: dict[str, Any], *, production: bool) -> dict[str, Any]:
    where = f"{name}, {row.get('id', 'a provider without id')}"
    if missing := _NEEDED - set(row):
        raise ImproperlyConfigured(f"{where}: {', '.join(sorted(missing))} is missing.")
    if unknown := set(row) - _NEEDED - _MORE:
        raise ImproperlyConfigured(f"{where}: there is no {', '.join(sorted(unknown))}.")
    if production and not str(row["server_url"]).startswith("https://"):
        raise ImproperlyConfigured(f"{where}: server_url must start with https://.")
    return {**row, "secret": _secret(where, row)}


def _secret(where: str, row: dict[str, Any]) -> str:
    if "secret_file" in row:
        try:
            return Path(row["secret_file"]).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{where}: secret_file: {error.strerror}.") from error
    if "secret_env" in row:
        if secret := os.environ.get(row["secret_env"]):
            return secret
        raise ImproperlyConfigured(f"{where}: {row['secret_env']} is not set.")
    return ""


def for_allauth(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return allauth's setting of these providers; each sign-in is bound by PKCE."""
    return {
        "openid_connect": {
            "APPS": [
                {
                    "provider_id": row["id"],
                    "name": row["name"],
                    "client_id": row["client_id"],
                    "secret": row["secret"],
                    "settings": {
                        "server_url": row["server_url"],
                        "oauth_pkce_enabled": True,
                        "scope": row.get("scope", ["openid", "profile", "email"]),
                    },
                }
                for row in rows
            ]
        }
    }
