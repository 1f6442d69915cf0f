"""Bad log-ins against eight processes: the short form of `make soak-login`."""

import subprocess
import sys

import pytest
from django.db import connection

from tests.processes import ROOT

pytestmark = pytest.mark.both_databases
SOAK = ROOT / "tests" / "soak" / "soak_login.py"


def test_bad_log_ins_open_nothing_and_are_counted_exactly() -> None:
    database = "sqlite" if connection.vendor == "sqlite" else "postgres"
    command = [sys.executable, str(SOAK), f"--databases={database}", "--seed=7", "--tries=240"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none opened; she signed in 12 times" in done.stdout
