"""Seller pages: the shop's products, and their import."""

from importlib import import_module

from django.apps import apps

from sellers.portal.products import ProductForm, ShopProductAdmin

__all__ = ["ProductForm", "ShopProductAdmin"]

if apps.is_installed("backoffice.sheets"):
    import_module("sellers.portal.import_sheet")
