"""The OpenAPI description: how to get in, which scope, and every answer that may come.

What single views say of themselves is read by drf-spectacular; what holds for all of them is added
here, so that it cannot be forgotten.
"""

from typing import Any, override

from drf_spectacular.authentication import SessionScheme
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

_REFUSAL = {"$ref": "#/components/schemas/Refusal"}
_FIELDS = {"$ref": "#/components/schemas/Refusals"}
_COMPONENTS: dict[str, Any] = {
    "Refusal": {
        "type": "object",
        "description": "Why not, in a sentence for people.",
        "properties": {"detail": {"type": "string"}},
        "required": ["detail"],
        "example": {"detail": "This token lacks the scope customers:write."},
    },
    "Refusals": {
        "type": "object",
        "description": "Why not: field -> sentences; `detail` where it is no single field.",
        "additionalProperties": {
            "oneOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}},
                {"type": "object"},
            ]
        },
        "example": {"email": ["Type the whole new value, or leave the masked one as it was."]},
    },
}
_ETAG = {
    "ETag": {
        "description": "The state of the record; send it back as If-Match.",
        "schema": {"type": "string"},
    }
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_SAID: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "400": ("Something in the request is wrong.", _FIELDS, {}),
    "401": ("No token and no session, or one that is not valid.", _REFUSAL, {}),
    "403": ("The right or the scope is missing; the text names the scope.", _REFUSAL, {}),
    "404": ("There is no such record for this account.", _REFUSAL, {}),
    "405": ("There is no such method here.", _REFUSAL, {}),
    "406": ("Only JSON is spoken.", _REFUSAL, {}),
    "412": ("The record was changed since: read it again.", _REFUSAL, {}),
    "415": ("Only JSON is read.", _REFUSAL, {}),
    "428": ("Say by If-Match which state this rests on.", _REFUSAL, {}),
    "429": ("Too many calls, of this account or from this address.", _REFUSAL, _RETRY),
}
_ALWAYS = ("401", "403", "405", "406", "429")
_WRITING = ("400", "404", "415")
_WRITES, _CHANGES = {"post", "put", "patch"}, {"put", "patch"}


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How a token is sent."""

    target_class = "backoffice.site.bearer.Bearer"
    name = "bearerAuth"

    @override
    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        text = "A personal token or that of a service account: `bo_…`. Its scopes bound it."
        return {"type": "http", "scheme": "bearer", "description": text}


class SiteSessionScheme(SessionScheme):  # type: ignore[no-untyped-call]
    """How a browser is signed in."""

    target_class = "backoffice.site.bearer.SiteSession"


class ScopedSchema(AutoSchema):
    """Says of each operation which scope a token needs."""

    @override
    def get_description(self) -> str:  # type: ignore[override]  # spectacular takes no more
        said = str(super().get_description() or "")
        if not hasattr(self.view, "needed_scope"):
            return said
        scope = self.view.needed_scope()
        line = (
            f"Scope of a token: `{scope}`." if scope else "No token may do this; a person has to."
        )
        return f"{said}\n\n{line}"


def complete(result: dict[str, Any], generator: Any, request: Any, public: Any) -> dict[str, Any]:
    """Add to each operation the answers that the base of all views may give (a hook)."""
    result["components"].setdefault("schemas", {}).update(_COMPONENTS)
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return result


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    of_record = "{" in path
    statuses = [*_ALWAYS]
    if method in _WRITES:
        statuses += _WRITING
    elif of_record:
        statuses.append("404")
    asked = [one for one in operation.get("parameters", ()) if one.get("in") == "query"]
    if asked and method not in _WRITES:
        statuses.append("400")
    if method in _WRITES and of_record:
        statuses.append("412")
        operation.setdefault("parameters", []).append(_if_match(required=method in _CHANGES))
    if method in _CHANGES:
        statuses.append("428")
    answers = operation["responses"]
    for status in statuses:
        answers.setdefault(status, _answer(status))
    for status, answer in answers.items():
        if status.startswith("2") and (of_record or method == "post"):
            answer["headers"] = {**_ETAG, **answer.get("headers", {})}
    operation["responses"] = dict(sorted(answers.items()))


def _answer(status: str) -> dict[str, Any]:
    said, schema, headers = _SAID[status]
    answer = {"description": said, "content": {"application/json": {"schema": schema}}}
    return answer | ({"headers": headers} if headers else {})


def _if_match(*, required: bool) -> dict[str, Any]:
    return {
        "in": "header",
        "name": "If-Match",
        "required": required,
        "description": "The ETag of the record as it was read, or * for any state.",
        "schema": {"type": "string"},
        "example": '"3f2a9c0d4b5e6f708192a3b4c5d6e7f8"',
    }
