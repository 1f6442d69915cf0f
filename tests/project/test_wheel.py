"""The framework alone, as a wheel, in a blank project made from the blocks of docs/library.md."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "library.md"
BLOCK = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
APPS = ("customers", "orders", "payments", "reports", "sellers", "tests", "backoffice/project")

# Two people look at a customer: the mask everywhere, one number for the one with the right.
VISIT = """
import django
django.setup()
from django.contrib.auth.models import Permission
from django.test import Client
from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.masking import services
from shop.models import Customer

Customer.objects.create(name="Mary Smith", phone="+44 7700 900123")
customer = Customer.objects.get()
print("row", customer.phone)

def person(name, *rights):
    user = User.objects.create_user(name, password="correct horse battery", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return User.objects.get(pk=user.pk)

eve = person("eve", "view_customer")
ann = person("ann", "view_customer", "reveal_customer")
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(eve)
for path in ["/admin/shop/customer/", f"/admin/shop/customer/{customer.pk}/change/"]:
    answer = client.get(path)
    text = answer.content.decode()
    print("page", answer.status_code, str(customer.phone) in text, "900123" in text)

reason = services.Reason("call", "asked to be called back")
try:
    services.reveal(customer, "phone", actor=eve, reason=reason, fresh=True)
except services.RevealRefusedError as refused:
    print("refused", refused.rule)
shown = services.reveal(customer, "phone", actor=ann, reason=reason, fresh=True)
print("revealed", shown.text)
event = Event.objects.filter(verb=services.REVEALED, actor=ann).get()
print("event", event.subject_type, event.reason, event.context["field"])
"""


def run(*command: str, folder: Path, wheel: Path) -> str:
    """Run Python in the blank project, where only the wheel's files are importable as ours."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BACKOFFICE_", "DJANGO_", "DATABASE_", "PYTEST_"))
    }
    environment |= {
        "PYTHONPATH": f"{wheel}{os.pathsep}{folder}",
        "DJANGO_SETTINGS_MODULE": "office.settings",
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and return the folder of its unpacked files."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = folder.glob("django_backoffice-*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def blank_project(folder: Path) -> None:
    """Make a Django project and app with the blocks of the page in them."""
    admin = [sys.executable, "-m", "django"]
    for words in (["startproject", "office", "."], ["startapp", "shop"]):
        subprocess.run([*admin, *words], cwd=folder, check=True, capture_output=True)
    for name, code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        mode = "a" if name.endswith("settings.py") else "w"
        with (folder / name).open(mode, encoding="utf-8") as file:
            file.write(code)


@pytest.mark.sqlite
def test_wheel_holds_the_framework_alone(wheel: Path) -> None:
    inside = {path.relative_to(wheel).parts[0] for path in wheel.iterdir()}
    assert {name for name in inside if not name.endswith(".dist-info")} == {"backoffice"}
    for name in APPS:
        assert not (wheel / name).exists()
    kinds = {path.suffix for path in (wheel / "backoffice").rglob("*") if path.is_file()}
    assert {".py", ".html", ".css", ".js"} <= kinds
    assert list((wheel / "backoffice").glob("audit/migrations/0001*.py"))


@pytest.mark.sqlite
def test_blank_project_gets_the_masked_and_audited_page(wheel: Path, tmp_path: Path) -> None:
    blank_project(tmp_path)
    for command in (
        ["makemigrations", "shop"],
        ["makemigrations", "--check", "--dry-run"],
        ["migrate"],
        ["check", "--fail-level", "WARNING"],
    ):
        run("manage.py", *command, folder=tmp_path, wheel=wheel)

    said = run("-c", VISIT, folder=tmp_path, wheel=wheel).splitlines()

    mask = said[0].removeprefix("row ")
    assert "\N{BULLET}" in mask
    assert "900123" not in mask
    assert said[1:] == [
        "page 200 True False",
        "page 200 True False",
        "refused no role gives shop.reveal_customer",
        "revealed +44 7700 900123",
        "event shop.customer Call the customer back: asked to be called back phone",
    ]
