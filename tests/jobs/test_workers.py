"""Workers as processes of their own, on a database of their own: killed, and side by side."""

import subprocess
import sys

import pytest
from django.db import connection

from tests.processes import ROOT

pytestmark = pytest.mark.both_databases
SOAK = ROOT / "tests" / "soak" / "soak_jobs.py"


def soak(*options: str) -> str:
    """Run the soak on a new database of the kind that the tests use; return what it told."""
    database = "sqlite" if connection.vendor == "sqlite" else "postgres"
    command = [sys.executable, str(SOAK), f"--databases={database}", "--seed=7", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_jobs_of_killed_workers_end_once_and_double_nothing() -> None:
    assert "6 kills" in soak("--kills=6")


def test_three_workers_on_one_database_never_run_one_job() -> None:
    assert "15 done" in soak("--kills=0", "--jobs=15")
