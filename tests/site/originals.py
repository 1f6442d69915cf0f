"""Files of other packages on which pages of ours stand: which, and what they were.

`originals.json`, beside, holds for each the digest it had when ours was written or last compared,
and what of ours stands on it. After an update of a package, `test_originals` names the ones that
changed. Compare, mend ours, and write the new digests: `python -m tests.site.originals`.
"""

import hashlib
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = Path(__file__).with_name("originals.json")
# Packages whose templates and static files come to a page under names that ours could take.
PACKAGES = (
    "allauth",
    "django.contrib.admin",
    "django.contrib.auth",
    "drf_spectacular",
    "guardian",
    "import_export",
    "rest_framework",
    "simple_history",
    "unfold",
)
SITE = "backoffice/site/templates/backoffice"
# What of ours was written after which original, or leans on it; under another name than its own.
COPIED = {
    "django.contrib.admin/templates/admin/base.html": f"{SITE}/page.html",
    "django.contrib.admin/templates/admin/change_form.html": f"{SITE}/change_form.html",
    "django.contrib.admin/templates/admin/change_list.html": f"{SITE}/change_list.html",
    "django.contrib.admin/templates/admin/delete_confirmation.html": (
        f"{SITE}/delete_confirmation.html"
    ),
    "django.contrib.admin/templates/admin/edit_inline/tabular.html": f"{SITE}/inline_table.html",
    "django.contrib.admin/templates/admin/index.html": f"{SITE}/index.html",
    "django.contrib.admin/templates/admin/includes/fieldset.html": f"{SITE}/form_fields.html",
    "django.contrib.admin/templates/admin/object_history.html": f"{SITE}/history.html",
    "django.contrib.admin/templates/admin/submit_line.html": f"{SITE}/change_form.html",
    "django.contrib.admin/templates/registration/logged_out.html": f"{SITE}/signed_out.html",
    "drf_spectacular/templates/drf_spectacular/swagger_ui.html": (
        "backoffice/project/templates/api/docs.html"
    ),
    "unfold/static/unfold/css/styles.css": "backoffice/site/static/backoffice/backoffice.css",
    "unfold/static/unfold/fonts/inter/styles.css": f"{SITE}/skeleton.html",
    "unfold/static/unfold/fonts/material-symbols/styles.css": f"{SITE}/skeleton.html",
    "unfold/templates/admin/change_form.html": f"{SITE}/change_form.html",
    "unfold/templates/admin/change_list.html": f"{SITE}/change_list.html",
    "unfold/templates/admin/edit_inline/tabular.html": f"{SITE}/inline_table.html",
    "unfold/templates/admin/includes/fieldset.html": f"{SITE}/form_fields.html",
    "unfold/templates/unfold/layouts/skeleton.html": f"{SITE}/skeleton.html",
    "unfold/templates/unfold/widgets/select.html": f"{SITE}/form_row.html",
    "unfold/templates/unfold/widgets/text.html": f"{SITE}/form_row.html",
}


def folder(package: str) -> Path:
    """Return the folder of an installed package."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations)))


def overriding() -> Iterator[tuple[str, str]]:
    """Yield (original, ours) for each template or static file of ours that hides another's."""
    for kind in ("templates", "static"):
        for place in sorted(ROOT.glob(f"*/{kind}")) + sorted(ROOT.glob(f"*/*/{kind}")):
            if ".venv" not in place.parts:
                yield from _hidden_by(place, kind)


def _hidden_by(place: Path, kind: str) -> Iterator[tuple[str, str]]:
    for ours in sorted(path for path in place.rglob("*") if path.is_file()):
        name = ours.relative_to(place)
        for package in PACKAGES:
            if (folder(package) / kind / name).is_file():
                yield f"{package}/{kind}/{name}", str(ours.relative_to(ROOT))


def wanted() -> dict[str, str]:
    """Return original -> ours, of everything that has to be on the list."""
    return {**COPIED, **dict(overriding())}


def digest(original: str) -> str:
    """Return the SHA-256 of an original as it is installed; "" when it is gone."""
    package, _, name = original.partition("/")
    path = folder(package) / name
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def listed() -> dict[str, str]:
    """Return original -> digest, as the list has them."""
    found: dict[str, str] = json.loads(LIST.read_text(encoding="utf-8"))
    return found


def changed(known: dict[str, str]) -> list[str]:
    """Return a line for each original that is not what the list says, with what to compare."""
    ours = wanted()
    return [
        f"{original} {'changed' if digest(original) else 'is gone'}: compare it with "
        f"{ours.get(original, 'what stood on it')}, then run python -m tests.site.originals"
        for original, was in sorted(known.items())
        if digest(original) != was
    ]


def main() -> None:
    """Write the list anew."""
    text = json.dumps({original: digest(original) for original in sorted(wanted())}, indent=2)
    LIST.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
