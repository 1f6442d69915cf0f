"""Every page that the sidebar offers opens; each is looked at once."""

import re

import pytest

from tests.browser.stage import Stage
from tests.walker.world import World

pytestmark = pytest.mark.browser

OK = 200


@pytest.mark.parametrize(
    ("names", "site"), [(("kim", "oli", "max", "ada"), "admin"), (("sam",), "seller")]
)
def test_every_link_of_the_sidebar_opens(
    names: tuple[str, ...], site: str, stage: Stage, world: World, backends: object
) -> None:
    looked_at: set[str] = set()
    for name in names:
        actor = stage.enter(world.people[name], site)
        links = actor.page.get_by_role("navigation", name="Pages").get_by_role("link").all()
        addresses = [link.get_attribute("href") or "" for link in links]
        assert len(addresses) > 2
        for address in addresses:
            if address in looked_at:
                assert actor.status(address) == OK, (name, address)
                continue
            looked_at.add(address)
            assert actor.open(address) == OK, (name, address)
            actor.look(f"page{re.sub(r'[^a-z]+', '-', address.partition('?')[0])}")
