"""Templates and static files of other packages did not change under ours."""

from pathlib import Path

import pytest

from tests.site import originals


def test_originals_are_what_ours_were_written_after() -> None:
    assert originals.changed(originals.listed()) == []


def test_list_names_every_original_and_no_other() -> None:
    missing = sorted(originals.wanted().keys() ^ originals.listed().keys())
    assert missing == [], "run python -m tests.site.originals and look at what changed"


def test_what_stands_on_an_original_exists() -> None:
    ours = originals.wanted().values()
    assert [path for path in ours if not (originals.ROOT / path).is_file()] == []


def test_changed_original_is_told_with_what_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "unfold/templates/unfold/layouts/skeleton.html"
    known = {name: originals.listed()[name]}
    planted = tmp_path / "templates/unfold/layouts/skeleton.html"
    planted.parent.mkdir(parents=True)
    original = originals.folder("unfold") / "templates/unfold/layouts/skeleton.html"
    planted.write_bytes(original.read_bytes() + b"\n")
    monkeypatch.setattr(originals, "folder", lambda _package: tmp_path)
    (line,) = originals.changed(known)
    assert line.startswith(f"{name} changed: compare it with backoffice/site/templates/")
    planted.unlink()
    (line,) = originals.changed(known)
    assert "is gone" in line


def test_file_of_ours_that_hides_another_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding = tmp_path / "orders/templates/admin/base_site.html"
    hiding.parent.mkdir(parents=True)
    hiding.touch()
    monkeypatch.setattr(originals, "ROOT", tmp_path)
    assert dict(originals.overriding()) == {
        f"{package}/templates/admin/base_site.html": "orders/templates/admin/base_site.html"
        for package in ("django.contrib.admin", "unfold")
        if (originals.folder(package) / "templates/admin/base_site.html").is_file()
    }
