"""System check ``masking.E008``: no view of the API filters, searches or orders by a masked field.

Views are found by the addresses of the project. What they say by attributes is looked at (those of
REST framework and django-filter), so neither has to be installed.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error
from django.urls import URLPattern, get_resolver

from backoffice.masking.fields import MaskedMixin, masked_fields
from backoffice.masking.indexes import BlindIndexField
from backoffice.masking.paths import passes

_HINT = "It would tell the hidden value; find by masking.services.search_exact."


def check_api(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """Report views of the API that would answer questions about a hidden value."""
    views = {view for pattern in _patterns(get_resolver()) if (view := _view(pattern)) is not None}
    return [message for view in sorted(views, key=str) for message in check_view(view)]


def _patterns(resolver: Any) -> Iterator[URLPattern]:
    for part in resolver.url_patterns:
        if isinstance(part, URLPattern):
            yield part
        else:
            yield from _patterns(part)


def _view(pattern: URLPattern) -> Any:
    """Return the class of a view of the API."""
    found = getattr(pattern.callback, "cls", None)
    return found if hasattr(found, "filter_backends") else None


def check_view(view: Any) -> list[CheckMessage]:
    """Report what one view would filter, search or order by."""
    model = _model(view)
    if model is None:
        return []
    questions = {
        "search_fields": [str(name).lstrip("^=@$") for name in _given(view, "search_fields")],
        "filterset_fields": _given(view, "filterset_fields"),
        "filterset_class": _filters(getattr(view, "filterset_class", None)),
        "ordering": [str(name).removeprefix("-") for name in _given(view, "ordering")],
        "ordering_fields": _orders(view, model),
    }
    return [
        Error(
            f"{option} of {view.__name__} names {name}, which is masked.",
            hint=_HINT,
            obj=view,
            id="masking.E008",
        )
        for option, names in questions.items()
        for name in names
        if passes(model, name, MaskedMixin, BlindIndexField)
    ]


def _model(view: Any) -> Any:
    rows = getattr(view, "queryset", None)
    if rows is not None:
        return rows.model
    return getattr(getattr(getattr(view, "serializer_class", None), "Meta", None), "model", None)


def _given(view: Any, option: str) -> list[str]:
    names = getattr(view, option, None) or []
    if isinstance(names, str):
        return [names]
    return [str(name) for name in names]


def _filters(filterset: Any) -> list[str]:
    """Return the paths that the filters of a filterset ask by."""
    filters: Mapping[str, Any] = getattr(filterset, "base_filters", {})
    return [str(one.field_name) for one in filters.values() if one.field_name]


def _orders(view: Any, model: Any) -> list[str]:
    """Return what a client may order by; said by nobody, or by "__all__", it is every field."""
    names = getattr(view, "ordering_fields", None)
    can_order = any(hasattr(backend, "ordering_param") for backend in view.filter_backends)
    if names == "__all__" or (names is None and can_order):
        return [field.name for field in masked_fields(model)]
    return [str(name) for name in names or []]
