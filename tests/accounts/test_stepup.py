import time

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest
from django.test import RequestFactory

from backoffice.accounts import stepup
from backoffice.accounts.models import User
from tests.people import PASSWORD


@pytest.fixture
def request_of_ann(rf: RequestFactory, ann: User) -> HttpRequest:
    request = rf.post("/")
    request.user, request.session = ann, SessionStore()
    return request


def test_step_up_is_not_fresh_without_proof(request_of_ann: HttpRequest) -> None:
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_refuses_a_wrong_password(request_of_ann: HttpRequest) -> None:
    assert not stepup.confirm(request_of_ann, "wrong")
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_is_fresh_for_ten_minutes(request_of_ann: HttpRequest) -> None:
    assert stepup.confirm(request_of_ann, PASSWORD)
    assert stepup.is_fresh(request_of_ann)
    request_of_ann.session["stepup_at"] = time.time() - 601
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_from_the_future_is_not_fresh(request_of_ann: HttpRequest) -> None:
    request_of_ann.session["stepup_at"] = time.time() + 3600
    assert not stepup.is_fresh(request_of_ann)


def test_step_up_refuses_somebody_deactivated(request_of_ann: HttpRequest, ann: User) -> None:
    ann.is_active = False
    assert not stepup.confirm(request_of_ann, PASSWORD)
