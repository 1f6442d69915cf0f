"""Sheets as data: kept as tables of their own, browsed, joined, charted, promoted."""
