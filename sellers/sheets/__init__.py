"""Sellers and products in sheets; found by name when `backoffice.sheets` is installed."""

from sellers.sheets.categories import KEYWORDS, OTHER, category_of
from sellers.sheets.details import ProductDetails
from sellers.sheets.lists import Price, Products, Sellers
from sellers.sheets.own import ShopProducts
from sellers.sheets.steps import ProductSheet, SellerSheet

__all__ = [
    "KEYWORDS",
    "OTHER",
    "Price",
    "ProductDetails",
    "ProductSheet",
    "Products",
    "SellerSheet",
    "Sellers",
    "ShopProducts",
    "category_of",
]
