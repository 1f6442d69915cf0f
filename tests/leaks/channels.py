"""The channels through which a backoffice of the usual kind was measured to leak.

`TABLE` was measured request by request on the stock admin and on a themed one, `FURTHER` by
requests of their own. Each stands in `Channels` of a test module of this folder by its name, once
for our pages and once for pages without any masking code; `test_channels` holds the lists together.
"""

from collections.abc import Callable

TABLE = (
    "admin index",
    "changelist",
    "change form",
    "add form",
    "FK label: order change",
    "FK label: order changelist column",
    "autocomplete JSON",
    "raw_id label",
    "raw_id popup",
    "plain FK select options",
    "delete confirmation",
    "delete confirmation PROTECT",
    "delete_selected action",
    "history list and diff",
    "history version form (old row)",
    "order history (FK diff)",
    "search oracle ?q= by name",
    "search oracle ?q= by phone",
    "lookup ?email__startswith",
    "lookup ?email__regex",
    "lookup ?email__lt (bisect)",
    "lookup ?birth_date__year (field not shown)",
    "lookup relation ?order__customer__email (local reverse)",
    "lookup history ?history__email__startswith",
    "lookup via FK order ?customer__email__startswith",
    "lookup via FK where only customer__country filters",
    "ordering oracle ?o= on masked column",
    "unsaved form re-render (validation error)",
    "change saved: success message and page",
    "change saved: changelist message",
    "LogEntry object_repr stored in DB",
    "admin index recent actions",
    "import preview: file has only some columns",
    "import preview diff old to new",
    "import error row (unique violation)",
    "import unique violation as existence oracle",
    "import validation error",
    "export page (GET)",
    "export csv",
    "export xlsx",
    "export json",
    "export html",
    "export action on selection",
    "palette search",
    "palette search as oracle",
    "guardian object permissions page",
    "guardian user-manage page",
    "guardian page: self-grant of reveal on an object",
    "DRF list json",
    "DRF browsable customers detail",
    "DRF browsable orders list (FK select in form)",
    "DRF orders OPTIONS",
    "DRF browsable filter form",
    "DRF ?search oracle",
    "DRF ?email__startswith filter oracle",
    "DRF ?ordering=email oracle",
    "DRF ?ordering=birth_date (not in serializer)",
    "DRF unique validator as existence oracle",
    "DRF GET masked, then PUT back",
    "DRF PATCH of a mask",
    "Cache-Control on changelist",
    "Cache-Control on API",
    "Cache-Control on export download",
    "Referrer-Policy",
    "popup response (related-object edit) JSON data",
    "_to_field=email on changelist popup",
)
FURTHER = (
    "delete_selected confirmation (no PROTECT)",
    "history: diff of an FK",
    "import preview, file with only an id column",
    "import and export by staff with no model permission",
    "PostgreSQL unique violation in an import row",
    "list_filter on masked field",
    "date_hierarchy drill-down on a birth date",
    "search_fields and list_filter through a FK",
    "?customer__email__startswith without list_filter",
    "local field lookups, also of fields not shown",
    "changelist checkbox aria-label",
    "palette, person with only add",
    "palette after all permissions are revoked",
    "palette, very many hits",
    "500 mail, text",
    "500 mail with HTML",
    "500 page",
    "4xx log line",
    "ValidationError text",
    "messages cookie",
    "unconfirmed import upload",
    "formula injection on export",
    "deactivated user or changed password keeps session",
    "brute force",
    "session cookie",
    "admin pages no-store",
    "check --deploy",
    "CSP",
)
# What was assumed and not measured, and has a place in this product.
ASSUMED = (
    "chart JSON holds the rows",
    "dumpdata",
    "task rows",
    "session store",
    "mail text",
    "browser autofill",
    "slow query log",
)
EVERY = (*TABLE, *FURTHER, *ASSUMED)

# Not a matter of fields: pages without masking code have nothing of their own to show there.
OURS_ALONE = {
    "palette search": "unfold's, on its own sites only",
    "palette search as oracle": "unfold's, on its own sites only",
    "palette, person with only add": "unfold's, on its own sites only",
    "palette after all permissions are revoked": "unfold's, on its own sites only",
    "palette, very many hits": "unfold's, on its own sites only",
    "guardian page: self-grant of reveal on an object": "a right, not a value",
    "import and export by staff with no model permission": "a right, not a value",
    "deactivated user or changed password keeps session": "sessions know no model",
    "brute force": "signing in knows no model",
    "session cookie": "signing in knows no model",
    "check --deploy": "settings know no model",
    "CSP": "a header of every answer, set by middleware",
    "chart JSON holds the rows": "charts are declared in our registry only",
    "task rows": "jobs are our own",
    "session store": "one store for all pages",
    "mail text": "mails are our own",
}


class Channels(dict[str, Callable[..., None]]):
    """Name -> its check; `@channels("changelist", …)` puts a function in under these names."""

    def __call__[C: Callable[..., None]](self, *names: str) -> Callable[[C], C]:
        """Return a decorator; raises ValueError for a name unknown or taken."""

        def put(check: C) -> C:
            for name in names:
                if name not in EVERY or name in self:
                    msg = f"{name!r} is no channel, or has a check here already"
                    raise ValueError(msg)
                self[name] = check
            return check

        return put
