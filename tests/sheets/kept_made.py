"""Made sheets that are kept in this process, and what plain Python makes of the same rows."""

import csv
from io import StringIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from backoffice.accounts.models import User
from backoffice.jobs.run import execute
from backoffice.sheets import services
from backoffice.sheets.kept import keeping
from backoffice.sheets.models import ImportJob, KeptSheet

ORDERS = """order_id,customer_email,placed,country,note
007,anna@example.com,2024-01-30,France,first
008,bob@example.com,2024-01-31,Spain,
009,carl@example.com,2024-02-01,France,=1+1
010,dora@example.com,2024-02-29,Italy,
011,emil@example.com,2024-03-01,,last
,fred@example.com,2024-03-02,Spain,no key
"""
ITEMS = """order_id,sku,price_eur,pieces
007,0042,12.50,2
007,0043,0.10,1
8,0042,12.50,1
010,0044,1234.05,3
099,0042,12.50,4
011,0043,0.20,
"""


def rows_of(text: str) -> list[dict[str, str]]:
    """Return the rows of a csv text, by plain Python."""
    return list(csv.DictReader(StringIO(text)))


def take(text: str | bytes, owner: User, name: str = "orders.csv") -> ImportJob:
    """Upload a file."""
    content = text if isinstance(text, bytes) else text.encode()
    return services.take(SimpleUploadedFile(name, content), owner)


def keep(text: str | bytes, owner: User, name: str = "Orders", **options: Any) -> KeptSheet:
    """Keep the first sheet of a file, and read it here and now."""
    job = take(text, owner, f"{name}.csv")
    choices = {"sheet": job.sheets[0]["name"], "header_row": 1, **options}
    kept = keeping.keep(job, actor=owner, name=name, **choices)
    assert kept.job is not None
    execute(kept.job.pk)
    kept.refresh_from_db()
    assert kept.state == KeptSheet.State.READY, kept.message
    return kept


def ref(kept: KeptSheet, label: str) -> str:
    """Return the ref of a column by its header."""
    return next(one.ref for one in keeping.columns_of(kept) if one.label == label)
