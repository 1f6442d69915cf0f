"""What stands open: the addresses that anybody may see, and anybody who works here."""

from tests.walker.registry import SIGNING_IN

# Open to everybody: signing in, and a new password. The sites' own addresses lead there.
DOORS = {
    "account_login",
    "account_inactive",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "socialaccount_login_cancelled",
}
# Open to whoever works here, whatever their role: their own start page, password, jobs, requests,
# clear exports.
OPEN_TO_STAFF = {
    "home",
    "admin:index",
    "admin:jsi18n",
    "admin:password_change",
    "admin:password_change_done",
    "admin:jobs",
    "admin:approvals",
    "admin:approvals_several",
    "admin:approvals_away",
    "admin:approval_rules",
    "admin:clear_exports",
    # Their own ways in, sessions and tokens.
    *SIGNING_IN,
    "admin:sessions",
    "admin:sessions_end_others",
    "admin:tokens",
    "admin:token_new",
}
# Nothing that a person without a role may see stands there: the addresses and their shape.
OPEN_API = {"api:api-root", "api:docs", "api:schema"}
# Statuses of an answer that shows nothing of the page.
REFUSED = {301, 302, 401, 403, 404, 405, 410}
