"""Masked fields: the mask sits in the model field, and seeing a clear value is an event."""

from backoffice.masking.values import MASK_CHAR, Sealed, clear, whole

__all__ = ["MASK_CHAR", "Sealed", "clear", "whole"]
