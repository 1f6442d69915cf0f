"""A shop's import of its products: its own rows, and nobody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, reverse

from backoffice.accounts.models import User
from backoffice.audit.models import Event
from backoffice.jobs.models import Job
from backoffice.jobs.run import execute
from backoffice.sheets import answers, services
from backoffice.sheets.models import ImportJob
from backoffice.sheets.writing import engine
from backoffice.site import seller_site
from sellers import services as products
from sellers.models import Membership, Product, Seller
from sellers.sheets import ShopProducts
from sellers.sheets.own import OwnProducts
from tests.clients import signed_in
from tests.people import allow
from tests.sheets import made

pytestmark = pytest.mark.django_db
HEAD = ("Code", "Name", "Category", "Price", "State")
ROWS: list[list[Any]] = [
    ["007", "Enamel cup", "Kitchen", "12.50", "active"],
    ["A-1", "Plate", None, "3", None],
]
PAGES = (
    "import", "import_sheets", "import_dialect", "import_mapping", "import_check",
    "import_problems", "import_difference", "import_run", "import_progress", "import_result",
    "import_failed", "import_rows",
)  # fmt: skip

WRITING = ("import_sheets", "import_dialect", "import_mapping", "import_check", "import_run")


def shop(user: User) -> Seller:
    return Seller.objects.get(memberships__user=user)


def product(user: User, code: str, **values: Any) -> Product:
    given: dict[str, Any] = {"name": "Theirs", "price_minor": 100, "currency": "GBP", **values}
    return Product.objects.create(seller=shop(user), code=code, **given)


def take(user: User, rows: Any = ROWS) -> ImportJob:
    file = SimpleUploadedFile("products.xlsx", made.book(rows, head=HEAD))
    return services.take(file, user, tenant=shop(user).code)


def bring_in(user: User, rows: Any = ROWS) -> ImportJob:
    job = made.check(take(user, rows))
    assert job.state == ImportJob.State.CHECKED, job.message
    return made.run(job)


def work(job: ImportJob) -> None:
    for one in Job.objects.filter(state=Job.State.QUEUED).order_by("pk"):
        execute(one.pk)
    job.refresh_from_db()


def address(name: str, job: ImportJob) -> str:
    more: dict[str, Any] = {"dataset": "products"} if name == "import_rows" else {}
    return reverse(f"seller:{name}", kwargs={"number": job.public_id, **more})


def everything_of(user: User) -> list[tuple[Any, ...]]:
    rows = Product.objects.filter(seller=shop(user)).order_by("code")
    return list(rows.values_list("code", "name", "category", "price_minor", "currency", "status"))


def test_journey_through_the_pages_of_the_shop(sol: User) -> None:
    client = signed_in(sol)
    assert "Import sheet" in client.get(reverse("seller:index")).content.decode()
    file = SimpleUploadedFile("products.xlsx", made.book(ROWS, head=HEAD))
    answer = client.post(reverse("seller:imports"), {"file": file})
    job = ImportJob.objects.get()
    assert (job.tenant, job.format) == ("sol-shop", ShopProducts.key)
    assert answer.headers["Location"].startswith("/seller/")
    client.post(address("import_sheets", job), {"sheet": ["A"]})
    columns = {f"column-0-{key}": at for key, at in job.mapping["A"]["columns"].items()}
    answer = client.post(address("import_mapping", job), {"format": job.format, **columns})
    assert answer.headers["Location"] == address("import_run", job)
    work(job)
    assert client.get(address("import_check", job)).status_code == 200
    assert not Product.objects.exists()
    assert client.post(address("import_check", job)).status_code == 302
    work(job)
    assert job.state == ImportJob.State.DONE, job.message
    assert client.get(address("import_result", job)).status_code == 200
    assert everything_of(sol) == [
        ("007", "Enamel cup", "Kitchen", 1_250, "GBP", "active"),
        ("A-1", "Plate", "", 300, "GBP", "draft"),
    ]
    assert Event.objects.filter(verb=products.REGISTERED, actor=sol).count() == 2


def test_a_code_of_another_shop_is_a_new_one_here(sol: User, sam: User) -> None:
    theirs = product(sam, "007")
    before = (everything_of(sam), theirs.history.count())
    with_theirs = made.check(take(sol))
    theirs_gone = made.check(take(sol, [["008", *ROWS[0][1:]], ROWS[1]]))
    # What the check says is the same whether another shop has the code or not.
    assert with_theirs.summary == theirs_gone.summary
    assert not with_theirs.problems.exists()
    made.run(with_theirs)
    assert (everything_of(sam), theirs.history.count()) == before
    assert [code for code, *_more in everything_of(sol)] == ["007", "A-1"]


def test_own_products_change_and_only_what_the_sheet_says(sol: User) -> None:
    mine = product(sol, "007", category="Kitchen", currency="KRW", status="active")
    job = bring_in(sol, [["007", "Big cup", None, "1250", None]])
    assert (job.created, job.total("updated")) == (0, 1)
    mine.refresh_from_db()
    assert (mine.name, mine.category, mine.price_minor) == ("Big cup", "Kitchen", 1_250)
    assert (mine.currency, mine.status) == ("KRW", "active")
    event = Event.objects.get(verb=products.EDITED, actor=sol)
    assert event.context["fields"] == ["name", "price_minor"]
    again = bring_in(sol, [["007", "Big cup", None, "1250", None]])
    assert (again.created, again.total("updated"), again.total("unchanged")) == (0, 0, 1)
    assert Event.objects.filter(verb=products.EDITED).count() == 1


def test_what_is_wrong_is_said(sol: User) -> None:
    rows = [
        ["1", None, None, None, None],
        ["2", "Cup", None, "1.005", None],
        ["3", "Cup", None, "-1", None],
        ["4", "Cup", None, None, "gone"],
        ["5", "Cup", None, None, None],
        ["5", "Cup", None, None, None],
    ]
    job = made.check(take(sol, rows))
    assert {(code, row) for code, _sheet, row, _column in made.said(job)} == {
        ("no-name", 2),
        ("more-decimals-than-currency", 3),
        ("no-list-price", 4),
        ("no-product-state", 5),
        ("code-twice", 7),
    }


def test_a_paused_shop_takes_no_new_products(sol: User) -> None:
    product(sol, "007")
    Seller.objects.filter(pk=shop(sol).pk).update(status=Seller.Status.PAUSED)
    job = bring_in(User.objects.get(pk=sol.pk))
    assert (job.created, job.total("updated")) == (0, 1)
    assert [code for code, *_more in made.said(job)] == ["shop-not-selling"]


def test_imports_of_others_do_not_exist(sol: User, sam: User, oli: User) -> None:
    of_sam, of_staff = made.check(take(sam)), made.upload(made.book([made.line()]), oli)
    client = signed_in(sol)
    for job in (of_sam, of_staff):
        for name in PAGES:
            assert client.get(address(name, job)).status_code == 404, name
            assert client.post(address(name, job)).status_code in {404, 405}, name
    assert "products.xlsx" not in client.get(reverse("seller:imports")).content.decode()
    state = ImportJob.objects.get(pk=of_sam.pk).state
    assert state == ImportJob.State.CHECKED
    assert not Product.objects.exists()


def test_staff_cannot_act_for_a_shop_nor_a_shop_for_staff(sol: User, sam: User, oli: User) -> None:
    file = made.book(ROWS, head=HEAD)
    for user, tenant in ((oli, "sol-shop"), (sol, ""), (sol, "sam-shop")):
        with pytest.raises(PermissionDenied):
            services.take(SimpleUploadedFile("p.xlsx", file), user, tenant=tenant)
    keys = {form.key for form in answers.open_formats(sol, "sol-shop")}
    assert keys == {ShopProducts.key}
    assert answers.open_formats(sol) == []
    assert ShopProducts.key not in {form.key for form in answers.open_formats(oli)}
    job = take(sol)
    for verb in (services.check, services.start):
        for user in (oli, sam):
            with pytest.raises(PermissionDenied):
                verb(job, actor=user)


def test_who_left_the_shop_imports_no_more(sol: User) -> None:
    job = made.check(take(sol))
    begun = services.start(job, actor=sol)
    Membership.objects.filter(user=sol).delete()
    execute(begun.pk)
    job.refresh_from_db()
    assert job.state == ImportJob.State.FAILED
    assert not Product.objects.exists()


def test_a_format_that_forgets_its_scope_writes_nothing(
    sol: User, sam: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last look before the write: broken by hand, a row of another shop stops the import."""
    theirs = product(sam, "007")
    job = made.check(take(sol))
    monkeypatch.setattr(OwnProducts, "candidates", lambda _self, queryset: queryset)
    execute(services.start(job, actor=sol).pk)
    job.refresh_from_db()
    assert job.state == ImportJob.State.FAILED
    theirs.refresh_from_db()
    assert (theirs.name, theirs.price_minor) == ("Theirs", 100)


def pages() -> set[str]:
    """Return the names of all pages of an import, as the shops' site has them."""
    return {
        str(one.name)
        for one in seller_site.get_urls()
        if isinstance(one, URLPattern) and str(one.pattern).startswith("imports/<uuid:number>/")
    }


def test_all_pages_of_imports_are_named_here() -> None:
    assert pages() == set(PAGES)


def as_csv(user: User) -> ImportJob:
    """Take a list whose decimal mark nobody knows for sure: its text has to be explained."""
    lines = ["Code;Name;Category;Price;State", "007;Tasse;Küche;1.250;active"]
    file = SimpleUploadedFile("products.csv", "\n".join(lines).encode("cp1252"))
    return services.take(file, user, tenant=shop(user).code)


@pytest.mark.parametrize("make", [take, as_csv, bring_in], ids=["uploaded", "csv", "done"])
def test_a_view_only_member_gets_403(sol: User, make: Callable[[User], ImportJob]) -> None:
    job = make(sol)
    sol.groups.clear()
    client: Client = signed_in(allow(sol, "sellers.view_product"))
    before = (ImportJob.objects.filter(pk=job.pk).values().get(), everything_of(sol))
    for name in pages():
        answer = client.post(address(name, job), {"do": "start"})
        assert answer.status_code in {403, 405}, name
    for name in WRITING:
        assert client.post(address(name, job)).status_code == 403, name
    assert client.post(reverse("seller:imports")).status_code == 403
    assert (ImportJob.objects.filter(pk=job.pk).values().get(), everything_of(sol)) == before


def test_price_of_the_moment_stays_where_the_sheet_brings_none(
    monkeypatch: pytest.MonkeyPatch, sol: User
) -> None:
    mine = product(sol, "007", status=Product.Status.ACTIVE)
    file = SimpleUploadedFile(
        "states.xlsx", made.book([["007", "retired"]], head=("Code", "State"))
    )
    job = made.check(services.take(file, sol, tenant=shop(sol).code))
    original = engine.Writer._commit
    edits = iter([999])

    def commit(self: Any, *args: Any, **kwargs: Any) -> Any:
        for price in edits:
            mine.price_minor = price
            mine.save()
        return original(self, *args, **kwargs)

    monkeypatch.setattr(engine.Writer, "_commit", commit)
    made.run(job)
    mine.refresh_from_db()
    assert (mine.price_minor, mine.status) == (999, "retired")
    assert mine.history.latest().price_minor == 999
