"""Every page that the sidebar offers opens, and is looked at."""

import re

import pytest

from tests.browser.stage import Stage
from tests.walker.world import World

pytestmark = pytest.mark.browser

OK = 200


@pytest.mark.parametrize(
    ("name", "site"),
    [("kim", "admin"), ("oli", "admin"), ("max", "admin"), ("ada", "admin"), ("sam", "seller")],
)
def test_every_link_of_the_sidebar_opens(
    name: str, site: str, stage: Stage, world: World, backends: object
) -> None:
    actor = stage.enter(world.people[name], site)
    links = actor.page.get_by_role("navigation", name="Pages").get_by_role("link").all()
    addresses = [link.get_attribute("href") or "" for link in links]
    assert len(addresses) > 2
    for address in addresses:
        assert actor.open(address) == OK, address
        actor.look(f"page{re.sub(r'[^a-z]+', '-', address.partition('?')[0])}")
