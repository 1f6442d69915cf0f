"""The system starts with an optional app left out, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
START = """
import django
django.setup()
from django.core.management import call_command
call_command("check", fail_level="WARNING")
call_command("migrate", verbosity=0)
from backoffice.accounts.models import User
from django.test import Client
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(User.objects.create_superuser("root"))
for path in ["/admin/", "/admin/customers/customer/", "/admin/orders/order/"]:
    print(path, client.get(path).status_code)
"""
FINE = [
    "/admin/ 200",
    "/admin/customers/customer/ 200",
    "/admin/orders/order/ 200",
]


@pytest.mark.sqlite
@pytest.mark.parametrize("names", ["sheets", "sources", "reports", "sheets,sources,reports"])
def test_system_starts_without(names: str, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "BACKOFFICE_WITHOUT": names,
        "BACKOFFICE_VAR": str(tmp_path),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "backoffice.project.settings",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-W", "ignore", "-c", START]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-3:] == FINE
