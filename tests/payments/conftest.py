"""A running gateway simulator, and settings that point to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.simulator import WEBHOOK_SECRET, SimulatorProcess


@pytest.fixture
def simulator(tmp_path: Path, settings: Settings) -> Iterator[SimulatorProcess]:
    """Run the simulator; "simulator" leads to it, with limits that a busy machine keeps."""
    with SimulatorProcess(tmp_path / "gateway.sqlite3") as process:
        settings.GATEWAYS = {
            "simulator": {
                "BACKEND": "payments.gateways.simulator.Simulator",
                "OPTIONS": {
                    "base_url": process.url,
                    "webhook_secret": WEBHOOK_SECRET,
                    "connect": 5,
                    "read": 20,
                },
            }
        }
        yield process
