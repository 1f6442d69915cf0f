"""The page Mail: who sees it, what it tells, sending again from it."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backoffice.accounts.models import User
from backoffice.mail import services
from backoffice.mail.models import Mail
from tests.clients import signed_in

LIST = "/admin/mail/"


@pytest.fixture
def row(note: str, max_: User, eve: User) -> Mail:
    context = {"what": "Refund 12", "link": "/admin/jobs/"}
    return services.queue(note, to=max_, context=context, reason="You may decide it.", actor=eve)


def test_ops_and_auditor_see_who_got_what_and_why(row: Mail, oli: User, ada: User) -> None:
    for person in (oli, ada):
        client = signed_in(person)
        for url in (LIST, f"{LIST}{row.public_id}/"):
            page = client.get(url).content.decode()
            for text in ("Refund 12 waits", "You may decide it.", "Max", "Eve"):
                assert text in page
            assert "max@example.com" not in page


def test_others_do_not(row: Mail, eve: User) -> None:
    for url in (LIST, f"{LIST}{row.public_id}/", f"{LIST}{row.public_id}/resend/"):
        assert signed_in(eve).get(url).status_code == 403


def test_filters_narrow(row: Mail, oli: User, max_: User) -> None:
    client = signed_in(oli)
    assert "Refund 12" in client.get(f"{LIST}?to={max_.pk}&state=queued").content.decode()
    for query in (f"to={oli.pk}", "state=sent", "template=tests.none"):
        assert "Refund 12" not in client.get(f"{LIST}?{query}").content.decode()


def test_unknown_mail_is_sent_again_by_post_with_a_reason(row: Mail, oli: User, ada: User) -> None:
    Mail.objects.update(state="unknown", attempts=1)
    url = f"{LIST}{row.public_id}/resend/"
    assert signed_in(ada).post(url, {"reason": "x"}).status_code == 403
    client = signed_in(oli)
    client.get(url)
    assert client.post(url).status_code == 400
    assert Mail.objects.get().state == "unknown"
    assert client.post(url, {"reason": "She got nothing."}).status_code == 302
    assert Mail.objects.get().state == "queued"
    assert client.post(url, {"reason": "again"}).status_code == 403


def test_more_mails_ask_no_more_queries(row: Mail, note: str, oli: User, max_: User) -> None:
    client = signed_in(oli)
    with CaptureQueriesContext(connection) as one:
        client.get(LIST)
    for number in range(3):
        services.queue(note, to=max_, context={"what": str(number)}, reason="x", actor=oli)
    with CaptureQueriesContext(connection) as many:
        client.get(LIST)
    assert len(many) == len(one)
