"""The example of docs/history.md, run as it stands there."""

import re
from pathlib import Path
from typing import Any

from django.conf import settings

from backoffice.accounts.models import User
from customers.models import Customer

GUIDE = Path(settings.BASE_DIR) / "docs" / "history.md"


def test_example_changes_rows_with_their_history(eve: User) -> None:
    code = re.search(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile(code[1], str(GUIDE), "exec"), names)  # noqa: S102 - our own text
    customer = Customer.objects.create(number="1", country="Holland")
    Customer.objects.create(number="2", country="Peru")
    changed = names["rename_country"]("Holland", "Netherlands", actor=eve, reason="One name")
    assert changed == 1
    newest = customer.history.order_by("-history_id").first()
    assert (newest.country, newest.history_user) == ("Netherlands", eve)
