"""The rules of `make audit`, without its tools."""

import json
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Load .ci/audit, its reports going to a folder of the test."""
    loader = SourceFileLoader("ci_audit", str(ROOT / ".ci" / "audit"))
    spec = spec_from_loader("ci_audit", loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setattr(module, "OUT", tmp_path)
    monkeypatch.setattr(module, "IN_CI", False)
    return module


def answering(audit: Any, monkeypatch: pytest.MonkeyPatch, told: Any, stderr: str = "") -> None:
    """Let pip-audit answer so; None writes no report."""

    def tool(_name: str, *words: str) -> subprocess.CompletedProcess[str]:
        if told is not None:
            Path(words[-1]).write_text(json.dumps({"dependencies": told}), encoding="utf-8")
        return subprocess.CompletedProcess(words, 1, "", stderr)

    monkeypatch.setattr(audit, "tool", tool)


@pytest.mark.parametrize(
    ("expression", "fine"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-2-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND BSD-3-Clause", True),
        ("(MIT AND GPL-2.0-only)", False),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("no licence", False),
        ("", False),
    ],
)
def test_licence_has_to_be_on_the_list(audit: Any, expression: str, *, fine: bool) -> None:
    assert audit.is_allowed(expression) is fine


def test_package_with_a_licence_off_the_list_is_told(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert audit.licences() == []
    assert "django 6" in (audit.OUT / "licences.txt").read_text(encoding="utf-8")
    monkeypatch.setattr(audit, "ALLOWED", audit.ALLOWED - {"LGPL-3.0-only"})
    assert [line.partition(":")[0] for line in audit.licences()] == [
        "psycopg",
        "psycopg-binary",
        "psycopg-pool",
    ]


def test_weakness_is_told_with_its_remedy(audit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    weak = {"id": "CVE-2026-1", "fix_versions": ["6.1.4"]}
    answering(audit, monkeypatch, [{"name": "django", "version": "6.1.3", "vulns": [weak]}])
    assert audit.run(["advisories"]) == 1
    assert audit.advisories() == ["django 6.1.3: CVE-2026-1, fixed in 6.1.4"]


@pytest.mark.parametrize(
    ("told", "stderr"),
    [
        (None, "requests.exceptions.ConnectionError: Max retries exceeded"),
        ([{"name": "django", "skip_reason": "not found on PyPI"}], ""),
    ],
)
def test_list_that_nobody_could_ask_is_missing_and_fails_in_ci(
    audit: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    told: Any,
    stderr: str,
) -> None:
    answering(audit, monkeypatch, told, stderr)
    assert audit.run(["advisories"]) == 0
    assert "missing: advisories" in capsys.readouterr().out
    monkeypatch.setattr(audit, "IN_CI", True)
    assert audit.run(["advisories"]) == 1


def test_package_that_the_list_does_not_know_is_told(
    audit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"name": "django", "version": "6.1.3", "vulns": []}
    answering(audit, monkeypatch, [known, {"name": "ours", "skip_reason": "not found"}])
    assert audit.advisories() == ["ours: no list knows it, so nobody looked"]


def test_lock_of_the_tools_is_hashed_and_names_no_address() -> None:
    lock = (ROOT / "requirements-audit.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    packages = [line for line in lock.splitlines() if line and line[0] not in " #"]
    assert len(packages) > 10
    assert all(line.endswith("\\") for line in packages)
