"""Tests whose outcome no database decides: what pages show, what forms and rights refuse.

They run on SQLite alone. That the queries of every page run on PostgreSQL too, the walk shows
(tests/walker); scopes, masks and lookups in SQL, money, constraints, triggers, jobs and locks have
tests that run on both.
"""

import re
from pathlib import PurePath

# Of the channels of tests/leaks: those where the database itself compares, refuses or keeps.
_ASKS = (
    "lookup|oracle|search|filter|drill-down|unique|delete|dumpdata|rows|store|query|history|ERROR"
)
# File below tests/ -> which of its tests run on both nevertheless.
ALIKE = {
    "accounts/test_acting.py": "",
    "accounts/test_explaining.py": "",
    "accounts/test_factors.py": "",
    "accounts/test_pages.py": "",
    "accounts/test_people.py": "list|two_|last_owner|blocked|good_once",
    "accounts/test_sessions.py": "",
    "accounts/test_setup.py": "two_at_once|limited|makes_the_owner",
    "accounts/test_signing_in.py": "",
    "accounts/test_sso.py": "",
    "accounts/test_stepup.py": "",
    "accounts/test_token_pages.py": "",
    "approvals/test_inbox.py": "",
    "approvals/test_pages.py": "",
    "customers/test_erasure.py": "nothing|chain|history|run|merge|killed|restored",
    "customers/test_pages.py": "asks_as|of_the_rows|filters|search|cut_into|erased",
    "customers/test_privacy_pages.py": "",
    "files/test_links.py": "",
    "jobs/test_pages.py": "",
    "leaks/test_our_api.py": _ASKS,
    "leaks/test_our_files.py": _ASKS,
    "leaks/test_our_pages.py": _ASKS,
    "leaks/test_our_surroundings.py": _ASKS,
    "leaks/test_plain_data.py": _ASKS,
    "leaks/test_plain_pages.py": _ASKS,
    "leaks/test_second_factor.py": "",
    "mail/test_pages.py": "",
    "masking/test_forms.py": "",
    "masking/test_masks.py": "",
    "masking/test_pages.py": "",
    "masking/test_plain_pages.py": "",
    "masking/test_serializers.py": "",
    "orders/test_change_pages.py": "queue|bulk|narrow|queries|counts|wait",
    "payments/test_admin.py": "asks_for|left|twice|meanwhile|bulk|queries|narrow|two|second|sums",
    "payments/test_desk_pages.py": "ledger|days|queries|file|closed|agreed",
    "sheets/test_pages.py": "",
    "site/test_actions.py": "",
    "site/test_originals.py": "",
    "site/test_pages_of_records.py": "",
    "site/test_rates.py": "",
    "site/test_sites.py": "",
    "site/test_theme.py": "",
    "sources/test_admin.py": "health|state|since",
    "walker/test_enrolment.py": "",
    "walker/test_imports.py": "",
    "walker/test_plants.py": "",
    "walker/test_queries.py": "",
}


def is_alike(path: PurePath, name: str) -> bool:
    """Say whether no database decides the outcome of the test of this name in this file."""
    kept = ALIKE.get("/".join(path.parts[-2:]))
    return kept is not None and not (kept and re.search(kept, name))
