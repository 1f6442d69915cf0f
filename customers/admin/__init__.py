"""Staff pages of customers."""

from customers.admin import merge_pages, privacy, retention
from customers.admin.customer_page import CustomerAdmin
from customers.admin.parts import OPEN_MATTERS, Matter

__all__ = ["OPEN_MATTERS", "CustomerAdmin", "Matter", "merge_pages", "privacy", "retention"]
