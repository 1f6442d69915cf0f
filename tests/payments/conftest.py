"""A running gateway simulator, and settings that point to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.simulator import WEBHOOK_SECRET, SimulatorProcess


@pytest.fixture
def simulator(tmp_path: Path, settings: Settings) -> Iterator[SimulatorProcess]:
    """Run the simulator; the alias "simulator" leads to it, with short time limits."""
    with SimulatorProcess(tmp_path / "gateway.sqlite3") as process:
        settings.GATEWAYS = {
            "simulator": {
                "BACKEND": "payments.gateways.simulator.Simulator",
                "OPTIONS": {
                    "base_url": process.url,
                    "webhook_secret": WEBHOOK_SECRET,
                    "connect": 1,
                    "read": 2,
                },
            }
        }
        yield process
