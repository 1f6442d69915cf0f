"""Pages about the record: Activity with its searches and exports, and the access review."""

from backoffice.audit.admin import activity, reviews, searches

__all__ = ["activity", "reviews", "searches"]
