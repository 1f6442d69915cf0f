"""How the services of refunds say no."""

from django.core.exceptions import ValidationError


class RefundRefusedError(ValidationError):
    """The refund may not be asked for; the text says why and how much may be."""
