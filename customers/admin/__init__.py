"""Staff pages of customers."""

from customers.admin.customer_page import CustomerAdmin

__all__ = ["CustomerAdmin"]
