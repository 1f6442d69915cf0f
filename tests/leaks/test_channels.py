"""No channel of the list is lost: each is checked on our pages, and on pages without masking."""

from tests.leaks import (
    test_our_api,
    test_our_files,
    test_our_pages,
    test_our_surroundings,
    test_plain_data,
    test_plain_pages,
)
from tests.leaks.channels import ASSUMED, EVERY, FURTHER, OURS_ALONE, TABLE


def test_list_of_channels_is_whole() -> None:
    assert (len(TABLE), len(FURTHER), len(ASSUMED)) == (66, 28, 7)
    assert len(set(EVERY)) == len(EVERY)


def test_each_channel_is_checked_on_our_pages() -> None:
    modules = (test_our_api, test_our_files, test_our_pages, test_our_surroundings)
    checked = [name for module in modules for name in module.channels]
    assert sorted([*checked, *test_our_surroundings.ERRORS]) == sorted(EVERY)


def test_each_channel_is_checked_on_plain_pages() -> None:
    checked = [*test_plain_data.channels, *test_plain_pages.channels]
    assert sorted([*checked, *OURS_ALONE]) == sorted(EVERY)
