"""A page on the seller site needs to say whose its rows are."""

from backoffice.site import BackofficeAdmin
from backoffice.site.checks import unscoped
from backoffice.site.sites import SellerSite, seller_site
from customers.models import Customer
from sellers.models import Product


class Page(BackofficeAdmin):
    """Any page."""


def test_the_seller_site_has_a_scope_for_each_of_its_models() -> None:
    assert unscoped(seller_site) == []


def test_a_model_without_a_scope_is_an_error() -> None:
    site = SellerSite("seller")
    SellerSite.sites.remove(site)
    site.register([Customer, Product], Page)
    assert [(error.id, error.obj) for error in unscoped(site)] == [("backoffice.E004", Customer)]
