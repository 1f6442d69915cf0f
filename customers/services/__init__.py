"""Verbs on customers."""

from customers.services.edits import edit_customer
from customers.services.merging import denials, request_merge, request_undo

__all__ = ["denials", "edit_customer", "request_merge", "request_undo"]
