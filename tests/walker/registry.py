"""How each address is visited. An address that stands nowhere here fails the walk by its name.

Whoever adds a page names it here with the rows to open it for, and, where it takes more than an
empty form, with what to post.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType

from backoffice.files import links
from backoffice.files.models import KeptFile
from backoffice.sheets.models import ImportJob
from tests.walker.addresses import Address
from tests.walker.walk import Visit
from tests.walker.world import World

type Values = Mapping[str, Any]
# From the world to the parameters of each visit.
type Fill = Callable[[World], list[Values]]

MASKED = ("name", "email", "phone", "address", "born", "bank_account")


def once(**values: Any) -> Fill:
    """Visit it once, with these parameters."""
    return lambda _world: [values]


def row(*names: str, field: str = "pk", parameter: str = "object_id") -> Fill:
    """Visit it for the rows of these names of the world."""
    return lambda world: [{parameter: getattr(world.rows[name], field)} for name in names]


@dataclass(frozen=True)
class BothShops:
    """Visit it for the row of sol's shop, and for that of sam's."""

    name: str
    field: str = "pk"
    parameter: str = "object_id"

    def __call__(self, world: World) -> list[Values]:
        """Return the parameters of the two visits, sol's first."""
        shops = (world.of_sol, world.of_sam)
        return [{self.parameter: getattr(rows[self.name], self.field)} for rows in shops]


def each_field(name: str) -> Fill:
    """Visit it for each masked field of the row."""
    return lambda world: [{"object_id": world.pk(name), "field": field} for field in MASKED]


def masked_address(name: str) -> list[tuple[str, Fill]]:
    """Return the addresses below a page with a masked address: name -> how it is visited."""

    def one(world: World) -> list[Values]:
        return [{"object_id": world.pk(name), "field": "address"}]

    return [
        ("reveal", one),
        ("ask", one),
        ("copied", once(event=1, field="address")),
        ("unmask", once()),
        ("clear_export", once()),
    ]


def on_site(world: World) -> list[Values]:
    """Return the parameters of Django's "view on site" for a customer."""
    customer = world.customer
    kind = ContentType.objects.get_for_model(customer)
    return [{"content_type_id": kind.pk, "object_id": customer.pk}]


def an_import(world: World) -> list[Values]:
    """Return the parameters of the pages of an import."""
    job = world.rows["importjob"]
    assert isinstance(job, ImportJob)
    return [{"number": job.public_id, "dataset": "orders"}]


def link_of_a_file(world: World) -> list[Values]:
    """Return the token of a link to kim's file."""
    kept = world.rows["keptfile"]
    assert isinstance(kept, KeptFile)
    return [{"token": links.sign(kept)}]


IMPORT_PAGES = (
    "import",
    "import_check",
    "import_dialect",
    "import_difference",
    "import_failed",
    "import_mapping",
    "import_problems",
    "import_progress",
    "import_result",
    "import_rows",
    "import_run",
    "import_sheets",
    "import_undo",
    "import_undo_progress",
    "import_undone",
)
# Pages of a model: below its address, "" stands for the bare record (a redirect).
LISTS = ("changelist", "add", "find", "export", "export_choose", "columns")
RECORDS = ("change", "history", "delete")


def model_pages(site: str, model: str, fill: Fill, *more: str) -> dict[str, Fill]:
    """Return the usual addresses of a model's pages, and those named in `more` (of a record)."""
    app, _, name = model.partition("_")
    prefix = f"{site}:{app}_{name}"
    if site == "admin" and hasattr(apps.get_model(app, name), "history"):
        more = (*more, "restore")
    return {
        **{f"{prefix}_{kind}": once() for kind in LISTS},
        **{f"{prefix}_{kind}": fill for kind in (*RECORDS, *more)},
        f"{site}/{app}/{name}/<path:object_id>/": fill,
    }


def site_pages(site: str) -> dict[str, Fill]:
    """Return the addresses that every site has."""
    plain = (
        "autocomplete",
        "find",
        "index",
        "jsi18n",
        "login",
        "logout",
        "password_change",
        "password_change_done",
        "search",
    )
    return {
        **{f"{site}:{name}": once() for name in plain},
        f"{site}:app_list": once(app_label="orders"),
        f"{site}:step_up_challenge": once(),
        f"{site}:sessions": once(),
        f"{site}:sessions_end_others": once(),
        f"{site}:session_end": once(key=1),
        f"{site}:tokens": once(),
        f"{site}:token_new": once(),
        f"{site}:token_end": row("token", parameter="key"),
        f"{site}:file": link_of_a_file,
        f"{site}:view_on_site": on_site,
        f"{site}/(?P<url>.*)$": once(url="no/such/page"),
    }


# Pages of signing in and of one's own factors; nobody has a passkey in the world.
SIGNING_IN: dict[str, Fill] = {
    **{
        name: once()
        for name in (
            "account_login",
            "account_confirm_login_code",
            "mfa_login_webauthn",
            "mfa_authenticate",
            "account_logout",
            "account_inactive",
            "account_reauthenticate",
            "mfa_reauthenticate",
            "mfa_reauthenticate_webauthn",
            "account_change_password",
            "account_set_password",
            "account_reset_password",
            "account_reset_password_done",
            "account_reset_password_from_key_done",
            "socialaccount_login_cancelled",
            "mfa_index",
            "mfa_activate_totp",
            "mfa_deactivate_totp",
            "mfa_list_webauthn",
            "mfa_add_webauthn",
            "mfa_view_recovery_codes",
            "mfa_generate_recovery_codes",
        )
    },
    "account_reset_password_from_key": once(uidb36="1", key="made-up"),
    "openid_connect_login": once(provider_id="nobody"),
    "openid_connect_callback": once(provider_id="nobody"),
    "mfa_edit_webauthn": once(pk=1),
    "mfa_remove_webauthn": once(pk=1),
}

REGISTRY: dict[str, Fill] = {
    "home": once(),
    **SIGNING_IN,
    "setup": once(),
    **site_pages("admin"),
    **site_pages("seller"),
    **model_pages("admin", "sellers_seller", BothShops("seller"), "do_act_for"),
    "seller:acting_end": once(),
    **model_pages(
        "admin",
        "accounts_user",
        row("user"),
        "do_act_for",
        "do_block",
        "do_change_roles",
        "do_end_sessions",
        "do_invite_again",
        "do_reset",
        "do_take_factors",
        "do_unblock",
    ),
    "admin:accounts_user_do_invite": once(),
    **model_pages("admin", "sellers_product", BothShops("product")),
    **model_pages("admin", "customers_customer", row("customer"), "do_merge", "do_privacy_request"),
    **model_pages("admin", "customers_customermerge", row("customermerge"), "do_undo"),
    "admin:customer_merge": lambda world: [
        {"left": world.pk("customer"), "right": world.pk("other_customer")}
    ],
    **{
        f"admin:{name}": once()
        for name in ("privacy", "privacy_new", "privacy_retention", "privacy_retention_ask")
    },
    **{
        f"admin:{name}": row("privacycase", parameter="key")
        for name in ("privacy_case", "privacy_ask", "privacy_refuse")
    },
    "admin:customers_customer_tab": lambda world: [
        {"object_id": world.pk("customer"), "tab": tab}
        for tab in ("orders", "refunds", "timeline", "reveals")
    ],
    "admin:customers_customer_reveal": each_field("customer"),
    "admin:customers_customer_ask": each_field("customer"),
    "admin:customers_customer_copied": once(event=1, field="phone"),
    "admin:customers_customer_unmask": once(),
    "admin:customers_customer_clear_export": once(),
    "admin:clear_exports": once(),
    "admin:clear_file": row("clearexport", field="public_id", parameter="number"),
    **model_pages("admin", "masking_grant", row("grant"), "do_end"),
    **model_pages("admin", "masking_alarm", row("alarm"), "do_settle"),
    "admin:purposes": once(),
    **model_pages(
        "admin",
        "orders_order",
        BothShops("order"),
        "do_ask_change",
        "do_cancel",
        "do_deliver",
        "do_note",
        "do_request_refund",
        "do_send",
        "do_ship",
    ),
    **model_pages(
        "admin",
        "orders_changerequest",
        row("changerequest"),
        "do_approve",
        "do_close",
        "do_goods",
        "do_reject",
        "do_withdraw",
    ),
    **{f"admin:orders_changerequest_do_{name}_several": once() for name in ("approve", "reject")},
    **model_pages(
        "admin", "orders_parcel", row("parcel"), "do_arrived", "do_drop", "do_lost", "do_send"
    ),
    "admin:orders_parcel_do_arrived_several": once(),
    **model_pages("admin", "orders_deliveryaddress", row("deliveryaddress")),
    **{
        f"admin:orders_{name}_{view}": address
        for name in ("changerequest", "deliveryaddress")
        for view, address in masked_address(name)
    },
    **model_pages("admin", "payments_payment", BothShops("payment")),
    **model_pages(
        "admin",
        "payments_refund",
        row("refund"),
        "do_approve",
        "do_look_up",
        "do_reject",
        "do_review",
        "do_withdraw",
    ),
    **{f"admin:payments_refund_do_{name}_several": once() for name in ("approve", "reject")},
    **model_pages("admin", "payments_refundstop", row("refundstop"), "do_resume"),
    "admin:payments_refundstop_do_stop": once(),
    "admin:payments_evidence": row("evidence", field="public_id", parameter="number"),
    **model_pages(
        "admin",
        "payments_reconciledday",
        row("reconciledday"),
        "do_close",
        "do_fetch",
        "do_match",
        "do_reopen",
    ),
    "admin:payments_reconciledday_do_fetch_day": once(),
    "admin:payments_reconciledday_do_upload": once(),
    "admin:payments_settlement_check": row("keptfile", field="public_id", parameter="number"),
    **model_pages("admin", "payments_break", row("break"), "do_agree", "do_disagree", "do_propose"),
    **{
        f"admin:payments_break_do_{name}_several": once()
        for name in ("agree", "disagree", "propose")
    },
    **model_pages("admin", "payments_ledgertransaction", row("ledgertransaction")),
    **model_pages("admin", "payments_inboxevent", row("inboxevent"), "do_look_again"),
    "admin:gateways": once(),
    "admin:activity": once(),
    "admin:activity_save": once(),
    "admin:activity_export": once(),
    "admin:activity_drop": row("savedsearch", parameter="key"),
    "admin:access_review": once(),
    "admin:access_review_sign": once(year=2011, month=12),
    "admin:approvals": once(),
    **{
        f"admin:{name}": row("approvalrequest", parameter="key")
        for name in ("approval", "approve", "reject", "withdraw")
    },
    "admin:orders_order_do_deliver_several": once(),
    "admin:orders_order_do_ship_several": once(),
    "admin:approvals_several": once(),
    "admin:approvals_away": once(),
    "admin:approvals_away_end": row("delegation", parameter="key"),
    "admin:approval_rules": once(),
    "admin:roles": once(),
    "admin:why": once(),
    "admin:service_accounts": once(),
    "admin:service_account_new": once(),
    **{
        f"admin:service_account_{name}": row("service", parameter="key")
        for name in ("token", "block")
    },
    "admin:role_change": once(role="support", right="customers.reveal_customer"),
    "admin:exports": once(),
    **{
        f"admin:export_{name}": row("exportjob", field="public_id", parameter="number")
        for name in ("file", "stop")
    },
    "admin:sheet_formats": once(),
    **{f"admin:{name}": once(key="online-retail") for name in ("sheet_format", "sheet_template")},
    **{
        f"admin:sheet_profile{name}": row("importprofile", field="public_id", parameter="number")
        for name in ("", "_rename", "_delete")
    },
    "admin:imports": once(),
    "admin:import_drops": once(),
    **{f"admin:{name}": an_import for name in IMPORT_PAGES},
    "seller:imports": once(),
    **{f"seller:{name}": an_import for name in IMPORT_PAGES if "_undo" not in name},
    **{f"admin:{name}": once() for name in ("kept", "kept_join_new", "kept_chart_new")},
    "admin:import_keep": an_import,
    **{
        f"admin:kept_{name}": row("keptsheet", field="public_id", parameter="number")
        for name in ("sheet", "progress", "export", "share", "mask", "delete", "promote")
    },
    **{
        f"admin:kept_join{name}": row("keptjoin", field="public_id", parameter="number")
        for name in ("", "_export", "_share", "_delete")
    },
    **{
        f"admin:kept_chart{name}": row("keptchart", field="public_id", parameter="number")
        for name in ("", "_delete")
    },
    "admin:jobs": once(),
    **{
        f"admin:{name}": row("job", field="public_id", parameter="key")
        for name in ("job", "job_cancel", "job_retry", "job_status")
    },
    "browser-reports": once(),
    "webhook": once(alias="simulator"),
    "admin:violations": once(),
    **{
        f"admin:{name}": row("violation", parameter="key")
        for name in ("violation_done", "violation_forget")
    },
    "admin:mails": once(),
    **{
        f"admin:{name}": row("mail", field="public_id", parameter="key")
        for name in ("mail", "mail_resend")
    },
    **model_pages("admin", "orders_orderline", row("orderline")),
    **model_pages("admin", "orders_charge", row("charge")),
    **model_pages("seller", "sellers_product", BothShops("product")),
    **model_pages("seller", "orders_order", BothShops("order")),
    **model_pages("seller", "orders_orderline", BothShops("orderline")),
    "admin:sources": once(),
    "admin:sources_customer_orders": once(),
    "api:api-root": once(),
    "api:docs": once(),
    "api:nothing": once(rest="no/such"),
    "api:schema": once(),
    "api:approval-list": once(),
    **{
        f"api:approval-{name}": row("approvalrequest", parameter="pk")
        for name in ("detail", "approve", "reject")
    },
    "api:customer-list": once(),
    "api:customer-detail": row("customer", field="number", parameter="number"),
    "api:import-list": once(),
    **{
        f"api:import-{name}": row("importjob", field="public_id", parameter="number")
        for name in ("check", "detail", "problems", "start", "undo")
    },
    "api:order-list": once(),
    "api:order-detail": BothShops("order", field="number", parameter="number"),
    "api:order-cancel": BothShops("order", field="number", parameter="number"),
    "api:payment-list": once(),
    "api:payment-detail": BothShops("payment", parameter="pk"),
    "api:product-list": once(),
    "api:product-detail": BothShops("product", parameter="pk"),
    "api:refund-list": once(),
    "api:refund-detail": row("refund", field="number", parameter="number"),
    "api:changerequest-list": once(),
    **{
        f"api:changerequest-{name}": row("changerequest", field="number", parameter="number")
        for name in ("detail", "withdraw")
    },
    "api:return-list": once(),
    "api:return-detail": BothShops("return", field="number", parameter="number"),
    "api:seller-list": once(),
    "api:seller-detail": BothShops("seller", field="code", parameter="code"),
}


def unregistered(found: Iterable[Address], registry: Mapping[str, Fill] = REGISTRY) -> list[str]:
    """Return the addresses that nobody registered."""
    return [f"{address.key} ({address.route})" for address in found if address.key not in registry]


def gone(found: Iterable[Address], registry: Mapping[str, Fill] = REGISTRY) -> list[str]:
    """Return what is registered and is no address any more."""
    return sorted(registry.keys() - {address.key for address in found})


def visits(
    found: Iterable[Address],
    world: World,
    method: str = "GET",
    registry: Mapping[str, Fill] = REGISTRY,
    urlconf: str | None = None,
) -> Iterator[Visit]:
    """Yield a visit for each registered address and each of its rows."""
    for address in found:
        fill = registry.get(address.key)
        for values in fill(world) if fill else ():
            yield Visit(
                address=address.key,
                url=address.url(values, urlconf),
                method=method,
                json=address.key.startswith("api:"),
            )
