"""The soak of refunds in short: two dozen through real workers, with faults by lot."""

import subprocess
import sys

import pytest
from django.db import connection

from tests.processes import ROOT

pytestmark = pytest.mark.both_databases


def test_refunds_with_faults_by_lot_go_out_once() -> None:
    database = "sqlite" if connection.vendor == "sqlite" else "postgres"
    command = [
        sys.executable,
        str(ROOT / "tests" / "soak" / "soak_refunds.py"),
        f"--databases={database}",
        "--refunds=24",
        "--seed=7",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "24 refunds in" in done.stdout
