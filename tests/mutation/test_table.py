"""The short form of `make mutate-masking`: each protection still stands where the table says."""

import ast
from pathlib import Path

import pytest

from tests.mutation.table import MUTATIONS, ROOT, Mutation


@pytest.mark.parametrize("one", MUTATIONS, ids=str)
def test_protection_stands_where_the_table_says(one: Mutation, tmp_path: Path) -> None:
    copy = tmp_path / one.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / one.file).read_text(encoding="utf-8"), encoding="utf-8")
    one.apply(tmp_path)
    ast.parse(copy.read_text(encoding="utf-8"))  # what is left is still Python
    assert [test for test in one.tests if not (ROOT / test.partition("::")[0]).exists()] == []


def test_table_holds_many_and_none_twice() -> None:
    assert len({str(one) for one in MUTATIONS}) == len(MUTATIONS) >= 60
