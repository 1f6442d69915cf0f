"""The system starts with an optional app left out, in a process of its own."""

import os
import shutil
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
client.force_login(User.objects.get_or_create(username="root", is_staff=True, is_superuser=True)[0])
for path in ["/admin/", "/admin/customers/customer/", "/admin/orders/order/"]:
    print(path, client.get(path).status_code)
"""
OPTIONAL = ("sheets", "sources", "reports")
FINE = [
    "/admin/ 200",
    "/admin/customers/customer/ 200",
    "/admin/orders/order/ 200",
]


def start_without(names: str, folder: Path) -> None:
    """Migrate the database of this folder, and see that the system without these apps answers."""
    environment = {
        **os.environ,
        "BACKOFFICE_WITHOUT": names,
        "BACKOFFICE_VAR": str(folder),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "backoffice.project.settings",
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-W", "ignore", "-c", START]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{names}: {done.stderr[-3000:]}"
    assert done.stdout.splitlines()[-3:] == FINE, names


@pytest.mark.sqlite
def test_system_starts_without_optional_apps(tmp_path: Path) -> None:
    """Without all of them from nothing; then, on that, with all but one, as they are added."""
    bare = tmp_path / "bare"
    bare.mkdir()
    start_without(",".join(OPTIONAL), bare)
    for name in OPTIONAL:
        shutil.copytree(bare, tmp_path / name)
        start_without(name, tmp_path / name)
