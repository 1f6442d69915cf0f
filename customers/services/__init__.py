"""Verbs on customers."""

from customers.services import erasure, person_export, privacy, reading, retention
from customers.services.edits import edit_customer
from customers.services.merging import denials, request_merge, request_undo

__all__ = [
    "denials",
    "edit_customer",
    "erasure",
    "person_export",
    "privacy",
    "reading",
    "request_merge",
    "request_undo",
    "retention",
]
