"""Ten thousand samples of who may do what: policy, explainer, pages, API, exports and charts agree.

`make soak-policy SAMPLES=10000 POLICY_SEED=1`. Run by pytest, for its database that goes
afterwards; every 150 samples have a town of their own, whose seed a finding names.
"""

import os
import time

import pytest

from tests.agreement.test_samples import SEED, run, unlimited

SAMPLES = int(os.environ.get("SAMPLES", "10000"))
__all__ = ["unlimited"]


@pytest.mark.django_db
@pytest.mark.usefixtures("unlimited")
def test_soak_of_the_policy() -> None:
    began = time.monotonic()
    complaints, wanted = run(SAMPLES, SEED)
    print(f"\nseed {SEED}, {sum(wanted.values())} samples in {time.monotonic() - began:.0f} s")
    for name, count in sorted(wanted.items()):
        print(f"  {name:<12} {count}")
    assert complaints == [], "\n".join(complaints)
