"""What a line of the table is: a protection of personal data, and the code without it."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Mutation:
    """One protection, and the code without it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}: {self.name}"

    def apply(self, root: Path) -> None:
        """Take the protection out of a copy of the tree; ValueError where its text is not once."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            msg = f"{self}: its text stands {text.count(self.old)} times in the file"
            raise ValueError(msg)
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def of(file: str, tests: tuple[str, ...], *cuts: tuple[str, str, str]) -> list[Mutation]:
    """Return the protections of one file as (name, old, new), noticed by the same tests."""
    return [Mutation(name, file, old, new, tests) for name, old, new in cuts]
