"""Take each protection of personal data away in turn, and see that the tests notice.

    make mutate-masking            # all of them, two at a time
    python tests/mutation/mutate_masking.py --only policy --lanes 1

Each protection of `table.py` and `further.py` is removed in a copy of the tree, and the narrow
tests that are there for it run on a copy of one migrated database. Fails when a removal goes
unnoticed, when a text of the table is not found, or when the tests fail on the whole tree already.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.mutation.table import MUTATIONS, ROOT, Mutation

FAILED = 1  # pytest: tests ran, and some failed
LONGEST, LONGEST_OF_ALL = 300, 1800  # seconds for one removal, and for all tests once


@dataclass
class Lane:
    """A copy of the tree with a database of its own."""

    folder: Path
    tree: Path = field(init=False)
    database: Path = field(init=False)

    def __post_init__(self) -> None:
        """Copy what is tracked or new, and lead to the one .venv."""
        self.tree, self.database = self.folder / "tree", self.folder / "migrated.sqlite3"
        for name in _files():
            target = self.tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        (self.tree / ".venv").symlink_to(ROOT / ".venv")

    def run(self, tests: Sequence[str], longest: int = LONGEST) -> tuple[int, str]:
        """Run tests in the copy; their exit code and what they said."""
        var = self.folder / "var"
        shutil.rmtree(var, ignore_errors=True)
        var.mkdir()
        if self.database.exists():
            shutil.copy2(self.database, var / "test.sqlite3")
        command = [sys.executable, "-m", "pytest", "-n0", "-q", "-x", "--tb=short", "--reuse-db"]
        env = {**os.environ, "BACKOFFICE_VAR": str(var), "DATABASE_URL": "",
               "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(self.tree),
               "BACKOFFICE_WHOLE": "1"}  # fmt: skip
        try:
            done = subprocess.run(
                [*command, "-p", "no:cacheprovider", *tests],
                cwd=self.tree,
                env=env,
                capture_output=True,
                text=True,
                check=False,
                timeout=longest,
            )
        except subprocess.TimeoutExpired:
            return -1, f"took longer than {longest} s"
        if not self.database.exists():
            shutil.copy2(var / "test.sqlite3", self.database)
        return done.returncode, done.stdout[-4000:]

    def without(self, one: Mutation) -> str:
        """Return what is wrong when this protection is gone: "" when the tests noticed."""
        path = self.tree / one.file
        whole = path.read_text(encoding="utf-8")
        try:
            one.apply(self.tree)
        except (ValueError, OSError) as error:
            return str(error)
        try:
            code, said = self.run(one.tests)
        finally:
            path.write_text(whole, encoding="utf-8")
        if code == FAILED:
            return ""
        if code == 0:
            return f"{one}: SURVIVED {' '.join(one.tests)}"
        return f"{one}: the tests did not run ({code})\n{said}"


def _files() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def work(lane: Lane, waiting: deque[Mutation], wrong: list[str]) -> None:
    """Take protections away, one after the other, until none waits."""
    while waiting:
        try:
            one = waiting.popleft()
        except IndexError:  # the other lane was quicker
            return
        began = time.monotonic()
        found = lane.without(one)
        if found:
            wrong.append(found)
        print(f"{'SURVIVED' if found else 'caught':<9}{time.monotonic() - began:4.0f} s  {one}",
              flush=True)  # fmt: skip


def main() -> int:
    """Return 1 when a removal went unnoticed or could not be tried."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", default="", help="a part of a file's or protection's name")
    parser.add_argument("--lanes", type=int, default=2)
    options = parser.parse_args()
    chosen = [one for one in MUTATIONS if options.only in str(one)]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        lanes = [Lane(Path(folder) / str(number)) for number in range(options.lanes)]
        every = sorted({name for one in chosen for name in one.tests})
        code, said = lanes[0].run(every, LONGEST_OF_ALL)
        if code:
            print(f"{said}\nThe tests fail on the whole tree already.")
            return 1
        for lane in lanes[1:]:
            shutil.copy2(lanes[0].database, lane.database)
        print(f"the whole tree: {len(every)} files of tests pass", flush=True)
        waiting, wrong = deque(chosen), list[str]()
        threads = [threading.Thread(target=work, args=(lane, waiting, wrong)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    print(*wrong, sep="\n")
    caught = len(chosen) - len(wrong)
    print(f"{caught} of {len(chosen)} removals caught, {time.monotonic() - began:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
