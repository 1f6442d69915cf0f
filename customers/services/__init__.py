"""Verbs on customers."""

from customers.services.edits import edit_customer

__all__ = ["edit_customer"]
