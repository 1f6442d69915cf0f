"""What can be wrong with a row of Online Retail, in words."""

from django.utils.translation import gettext_lazy

from backoffice.sheets.problems import Severity, Text

TEXTS = {
    "repeated": Text(
        gettext_lazy("The same %(documents)s invoices stand in both sheets (%(lines)s lines)"),
        gettext_lazy("Read once, from the first sheet."),
        Severity.WARNING,
    ),
    "no-customer": Text(
        gettext_lazy("No customer on this line (%(lines)s lines, %(documents)s invoices)"),
        gettext_lazy("Taken as orders without customer."),
        Severity.WARNING,
    ),
    "no-product": Text(
        gettext_lazy("Not a product code: %(codes)s"),
        gettext_lazy("Taken as charges, %(lines)s lines."),
        Severity.WARNING,
    ),
    "no-price": Text(
        gettext_lazy("The price is zero (%(lines)s lines)"),
        gettext_lazy("Taken as goods given away."),
        Severity.WARNING,
    ),
    "more-decimals": Text(
        gettext_lazy("The price has more than two decimals (%(lines)s lines)"),
        gettext_lazy("The price is kept; the amount of the line is rounded half up."),
        Severity.WARNING,
    ),
    "two-times": Text(
        gettext_lazy("Invoices whose lines differ in their time: %(documents)s"),
        gettext_lazy("The earliest time is taken."),
        Severity.WARNING,
    ),
    "write-off": Text(
        gettext_lazy("Negative on invoice %(invoice)s, which is no credit note"),
        gettext_lazy("Left out: a stock write-off is no sale."),
        Severity.SKIPPED,
    ),
    "adjustment": Text(
        gettext_lazy("An adjustment of the books, not an invoice"),
        gettext_lazy("Left out: it is no sale."),
        Severity.SKIPPED,
    ),
    "negative-price": Text(
        gettext_lazy("The price is negative"), gettext_lazy("Left out. Check the price.")
    ),
    "no-quantity": Text(
        gettext_lazy("The quantity is zero"), gettext_lazy("Left out. Check the quantity.")
    ),
    "positive-return": Text(
        gettext_lazy("Positive on a credit note"),
        gettext_lazy("Left out. Write what came back as a negative number."),
    ),
    "other-customer": Text(
        gettext_lazy("The invoice has another customer on an earlier line"),
        gettext_lazy("Left out. An invoice has one customer."),
    ),
    "other-customer-stored": Text(
        gettext_lazy("The invoice stands in the system for another customer"),
        gettext_lazy("Left out. Check number and customer."),
    ),
}
