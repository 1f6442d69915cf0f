"""Reports of errors: where it broke, and nothing of what was in hand.

Django's own shows the local values of every frame, what was posted, and the error's text; each may
hold personal data. This one is in force also with DEBUG, since a page of an error is copied into
tickets. It names the kind of error, the place, and the number of the request.
"""

from collections.abc import ItemsView
from types import TracebackType
from typing import Any, override

from django.http import HttpRequest
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

WITHHELD = "(withheld)"


class ReportFilter(SafeExceptionReporterFilter):
    """Gives no value: no local, nothing posted, no cookie, no setting."""

    @override
    def is_active(self, request: HttpRequest | None) -> bool:
        """Be in force always."""
        return True

    @override
    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, Any]:
        """Give the names that were posted."""
        return {} if request is None else dict.fromkeys(request.POST, WITHHELD)

    @override
    def get_traceback_frame_variables(
        self, request: HttpRequest | None, tb_frame: Any
    ) -> ItemsView[str, Any]:
        """Give the names of the locals."""
        return dict.fromkeys(tb_frame.f_locals, WITHHELD).items()

    @override
    def get_safe_settings(self) -> dict[str, Any]:
        """Give none."""
        return {}

    @override
    def get_safe_cookies(self, request: HttpRequest | None) -> dict[str, Any]:
        """Give the names."""
        return {} if request is None else dict.fromkeys(request.COOKIES, WITHHELD)

    @override
    def get_safe_request_meta(self, request: HttpRequest | None) -> dict[str, Any]:
        """Give what tells the request apart; no query, no header that somebody wrote."""
        meta = {} if request is None else request.META
        return {name: meta[name] for name in ("REQUEST_METHOD", "PATH_INFO") if name in meta}


class Reporter(ExceptionReporter):
    """Writes reports without values, and without the error's text."""

    def __init__(
        self,
        request: HttpRequest | None,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
        is_email: bool = False,  # noqa: FBT001, FBT002 - Django's signature
    ) -> None:
        super().__init__(request, exc_type, exc_value, tb, is_email)
        self.filter = ReportFilter()

    @override
    def get_traceback_data(self) -> dict[str, Any]:
        """Return what the template of the report gets."""
        data = super().get_traceback_data()
        number = str(getattr(self.request, "request_id", "") or "")
        data["exception_value"] = f"{WITHHELD} {number}".strip()
        for name in ("exception_notes", "unicode_hint", "template_info", "postmortem"):
            if name in data:
                data[name] = ""
        data["request_GET_items"] = [(name, WITHHELD) for name, _value in self._asked()]
        data["request_FILES_items"] = []
        data["user_str"] = ""
        if self.request is not None:
            data["request_insecure_uri"] = self.request.path
        return data

    def _asked(self) -> list[tuple[str, Any]]:
        return [] if self.request is None else list(self.request.GET.items())

    @override
    def get_traceback_frames(self) -> list[dict[str, Any]]:
        """Return the frames without the text of the errors that led to each other."""
        frames: list[dict[str, Any]] = super().get_traceback_frames()
        for frame in frames:
            cause = frame.get("exc_cause")
            if cause is not None:
                frame["exc_cause"] = type(cause).__name__
        return frames
