"""The protections of personal data, one line each: what to take away, and who has to notice.

`old` stands exactly once in `file`; `new` is the code without the protection. `tests` are the files
(or single tests) that run on it: the narrow ones that are there for this rule.
"""

from tests.mutation.further import FURTHER
from tests.mutation.protection import ROOT, Mutation, of

__all__ = ["MUTATIONS", "ROOT", "Mutation"]

MASKING, SITE = "backoffice/masking", "backoffice/site"
VALUES = ("tests/masking/test_values.py",)
FIELDS = ("tests/masking/test_fields.py",)
FORMS = ("tests/masking/test_forms.py",)
LOOKUPS = ("tests/masking/test_lookups.py", "tests/masking/test_statements.py")
REST = ("tests/masking/test_serializers.py",)
SERVICES = ("tests/masking/test_services.py",)
GRANTS = ("tests/masking/test_grants.py", "tests/masking/test_services.py")
PAGES = ("tests/masking/test_pages.py",)
CHECKS = ("tests/masking/test_checks.py",)
MASKS = ("tests/masking/test_masks.py", "tests/masking/test_values.py")
OURS = ("tests/leaks/test_our_pages.py",)
FILES = (
    "tests/leaks/test_our_files.py",
    "tests/leaks/test_our_api.py",
    "tests/leaks/test_our_surroundings.py",
)
PLAIN = ("tests/leaks/test_plain_pages.py", "tests/leaks/test_plain_data.py")
POLICY = (
    "tests/test_policy.py",
    "tests/agreement/test_samples.py",
    "tests/masking/test_grants.py",
)


MUTATIONS = [
    # The value.
    *of(
        f"{MASKING}/values.py", VALUES,
        ("a pickle holds the mask alone", "return str, (str(self),)",
         "return str, (str(self._raw),)"),
        ("no state beside the text", '        """Hold no state beside the text (the default would '
         'list the slots)."""', "        return (None, {'_raw': self._raw})"),
        ("sealed values compare what they hide",
         "same = str.__eq__(self, other) and self._raw == other._raw",
         "same = str.__eq__(self, other)"),
        ("a typed value equals none of a row", "return same and is_typed(self) == is_typed(other)",
         "return same"),
        ("a sealed value never changes", "        raise AttributeError(name)",
         "        object.__setattr__(self, name, value)"),
        ("clearing needs a purpose", "    purposes.require(purpose)\n", ""),
        ("plain text is not cleared", "    if not isinstance(value, Sealed):\n        msg = \"only",
         "    if not isinstance(value, str):\n        msg = \"only"),
    ),
    # The field.
    *of(
        f"{MASKING}/mixin.py", (*FIELDS, *VALUES),
        ("what a query brings is sealed", "        return loaded(self._hide(text) or masks.text(text), clear, self)",
         "        return clear"),
        ("what is assigned is sealed", "            value = field.seal(value, instance.__dict__.get(field.attname))\n",
         "            pass\n"),
        ("an unchanged mask changes nothing", "MASK_CHAR in value and present == value:", "MASK_CHAR in value and False:"),
        ("a mask is not written", "        if self.is_mask(value):\n            msg = f\"{self} would", "        if False:\n            msg = f\"{self} would"),
        ("a mask is no valid value", "        if self.is_mask(value):\n            raise ValidationError", "        if False:\n            raise ValidationError"),
        ("a new value is validated", "        if is_typed(value):\n", "        if False:\n"),
        ("a dump holds masks", 'return str(self.value_from_object(obj) or "")',
         'return str(unseal(self.value_from_object(obj)) if self.value_from_object(obj) else "")'),
    ),
    *of(
        f"{MASKING}/mixin.py", CHECKS,
        ("no choices on a masked field", "        if self.choices:\n", "        if False:\n"),
        ("unique needs search", "if self.unique and not self.search:", "if False:"),
    ),
    *of(
        f"{MASKING}/mixin.py", LOOKUPS,
        ("only what is searched has an index",
         '        if self.search and cls.__module__ != "__fake__":',
         '        if cls.__module__ != "__fake__":'),
        ("only three lookups", "        return allowed(self, lookup)",
         "        return models.Field.get_lookup(self, lookup)"),
        ("no transform", "        raise MaskedQueryError(msg)",
         "        return models.Field.get_transform(self, name)"),
    ),
    *of(
        f"{MASKING}/mixin.py", (*FORMS, *FIELDS),
        ("an error does not quote the value", '{**(error.params or {}), "value": MASK_CHAR * 3}',
         "{**(error.params or {})}"),
        ("the form field is ours", '        kwargs["form_class"] = MaskedFormField\n', ""),
        ("a box takes the mask", '            field.widget.input_type = "text"\n',
         "            pass\n"),
    ),
    *of(
        f"{MASKING}/mixin.py", ("tests/masking/test_encryption.py",),
        ("an encrypted value is sealed for the column",
         "        if self.encrypted:\n            return self._encrypted(value)\n", ""),
        ("a sealed text is bound to its field", "    if stored.binding != binding:",
         "    if False:"),
        ("what no key opens is not written elsewhere", "    if is_lost(value):\n        msg = f\"{field} cannot",
         "    if False:\n        msg = f\"{field} cannot"),
    ),
    *of(
        f"{MASKING}/rules.py", MASKS,
        ("a mask does not tell a length", "[word[0] + _RUN for word in words]",
         "[word[0] + MASK_CHAR * len(word) for word in words]"),
        ("a rule of others that hides nothing hides all",
         "    return rule if any(rule is one for one in _ours) else Hiding(rule)", "    return rule"),
        ("a rule of others does not show the whole value", " and clear.strip() not in shown", ""),
        ("short numbers show no digits", "    ending = digits[-2:] if len(digits) >= _DIGITS_TO_SHOW_TWO else MASK_CHAR * 2",
         "    ending = digits[-2:]"),
    ),
    # Queries.
    *of(
        f"{MASKING}/lookups.py", LOOKUPS,
        ("a value is found by its own column", "    if isinstance(lhs, Col):", "    if True:"),
        ("search has to be asked for", "        if index is not None:\n            return index",
         "        if True:\n            return index"),
        ("plain text finds nothing", "    if isinstance(value, Sealed | Whole):",
         "    if isinstance(value, str):"),
        ("in takes a list of whole values",
         'if isinstance(rhs, str) or not isinstance(rhs, Iterable) or hasattr(rhs, "query"):',
         "if False:"),
    ),
    *of(
        f"{MASKING}/guards.py", (*LOOKUPS, *FIELDS),
        ("no order by a masked field",
         "if _reads_masked(query, item) or _names_an_index(query, item):",
         "if _names_an_index(query, item):"),
        ("no order by an index",
         "if _reads_masked(query, item) or _names_an_index(query, item):",
         "if _reads_masked(query, item):"),
        ("annotations are looked at",
         '    _guard(Query, "add_annotation", _before_annotation)\n', ""),
        ("orders are looked at", '    _guard(Query, "add_ordering", _before_ordering)\n', ""),
        ("updates are looked at",
         '    _guard(UpdateQuery, "add_update_fields", _before_update)\n', ""),
        ("upserts are looked at",
         '    _guard(InsertQuery, "insert_values", _before_insert)\n', ""),
        ("no computing with a masked field", "    require_shown_in(resolved)\n", ""),
        ("no copy by an UPDATE",
         "    if subquery or _reads_masked(query, value):", "    if False:"),
        ("an UPDATE takes values", "    if not _results(field, value):", "    if False:"),
    ),
    *of(
        f"{MASKING}/indexes.py", (*LOOKUPS, *FIELDS),
        ("an index is asked for whole", 'if lookup not in {"exact", "in", "isnull"}:',
         "if False:"),
        ("an index shows nothing", "    return Sealed(_SHOWN, value) if plain and value "
         "else value", "    return value"),
    ),
    # Forms and REST.
    *of(
        f"{MASKING}/forms.py", FORMS,
        ("a posted mask keeps the value",
         "        if isinstance(bf.initial, Sealed) and not self.has_changed(bf.initial, bf.data):\n"
         "            return bf.initial\n", ""),
        ("another mask is refused", "if isinstance(text, str) and is_mask(text, long=self.is_long):", "if False:"),
        ("a mask is no change",
         'return not self.disabled and str(initial) != str(data or "").strip()', "return True"),
    ),
    *of(
        f"{MASKING}/forms.py", FORMS,
        ("browsers keep nothing typed", '"autocomplete": "off"', '"autocomplete": "on"'),
    ),
    *of(
        f"{MASKING}/serializers.py", REST,
        ("another mask is refused", "            if is_mask(data, long=self.is_long):", "            if False:"),
        ("a sent mask keeps the value",
         "            if data == self._present():\n                raise serializers.SkipField\n", ""),
        ("an address is checked", "        validate_email(value)\n", ""),
    ),
    # Checks.
    *of(
        f"{MASKING}/checks.py", CHECKS,
        ("pages are checked", "if passes(page.model, name, MaskedMixin, BlindIndexField):",
         "if False:"),
        ("columns are checked", "if isinstance(name, str) and passes(page.model, name, BlindIndexField):",
         "if False:"),
        ("orders of models are checked", "        if passes(model, name, MaskedMixin, BlindIndexField)\n",
         "        if False\n"),
        ("orders of columns are checked", "        **_orders_of_columns(page),\n", ""),
        ("what the database computes is checked",
         "        for name in _read(model, expression)\n", "        for name in ()\n"),
    ),
    # Reveal and grants.
    *of(
        f"{MASKING}/services.py", (*SERVICES, *PAGES),
        ("a right is needed",
         '    attempt.allow(decision.rule if not decision else "", fresh=fresh)',
         '    attempt.allow("", fresh=fresh)'),
        ("a reason is needed", "        self.reason.clean()\n", ""),
        ("fresh proof is needed", "        if not fresh:\n            raise self._refused(\"not",
         "        if False:\n            raise self._refused(\"not"),
        ("there is a cap", "            if not is_over(self.actor, self.rows):", "            if True:"),
        ("a refusal is on the record", "                outcome=Outcome.REFUSED,\n", ""),
        ("only masked fields are revealed",
         "        if not isinstance(model._meta.get_field(name), MaskedMixin):", "        if False:"),
        ("the repr of a value is empty", "    text: str = field(repr=False)", "    text: str"),
        ("the event is committed before", "                events = record_each(",
         "                transaction.set_rollback(True)\n                events = record_each("),
    ),
    *of(
        f"{MASKING}/services.py", GRANTS,
        ("nobody gives to themselves",
         'if actor.pk == user.pk or not may(actor, "masking.give_grant", None):\n'
         "        raise PermissionDenied\n    _require",
         'if not may(actor, "masking.give_grant", None):\n'
         "        raise PermissionDenied\n    _require"),
        ("giving is a right",
         'if actor.pk == user.pk or not may(actor, "masking.give_grant", None):\n'
         "        raise PermissionDenied\n    _require",
         "if actor.pk == user.pk:\n        raise PermissionDenied\n    _require"),
        ("eight hours at most", "    if not 0 < minutes <= LONGEST_GRANT_MINUTES:",
         "    if False:"),
        ("ending is a right", 'if actor is not None and not may(actor, "masking.give_grant", None):',
         "if False:"),
    ),
    *of(
        f"{MASKING}/models.py", GRANTS,
        ("a grant runs out", "expires_at__gt=now, ended_at=None)", "ended_at=None)"),
        ("a grant that was ended is over", "expires_at__gt=now, ended_at=None)",
         "expires_at__gt=now)"),
    ),
    *of(
        f"{MASKING}/grants.py", GRANTS,
        ("a grant counts with guardian's right alone",
         'found[key] for key in held.values_list("object_pk", flat=True)}',
         "found[key] for key in found}"),
        ("a grant is for reveal alone",
         '    if permission != codename("reveal", model):\n        return {}\n', ""),
    ),
    *of(
        f"{MASKING}/admin/dialogs.py", PAGES,
        ("only masked fields have a dialog", "        if not isinstance(column, MaskedMixin):",
         "        if False:"),
    ),
    # The policy.
    *of(
        "backoffice/policy/rules.py", POLICY,
        ("only active people", "    holds = is_active(question.user)\n", "    holds = True\n"),
        ("rights that are for people",
         "return _all(question, Finding(_KEPT, not (is_program and kept), words, facts))",
         "return _all(question, Finding(_KEPT, True, words, facts))"),
        ("a denial wins", "found[key] = Finding(_DENIAL, holds=False,",
         "found[key] = Finding(_DENIAL, holds=True,"),
        ("a scope narrows", "Finding(_SCOPE, record.pk not in outside, ",
         "Finding(_SCOPE, True, "),
    ),
    # Pages.
    *of(
        f"{SITE}/lists.py", OURS,
        ("no filter by a masked field from an address",
         "if passes_masked(self.model, lookup) or lookup", "if lookup"),
    ),
    *of(
        f"{SITE}/diffs.py", ("tests/masking/test_history.py", *OURS),
        ("a hidden change is told",
         "if getattr(new, field.attname) != getattr(old, field.attname)",
         "if str(getattr(new, field.attname)) != str(getattr(old, field.attname))"),
    ),
    *of(
        f"{SITE}/sites.py", ("tests/site/test_sites.py",),
        ("the library's palette is off", "        raise Http404\n\n    def each_context",
         "        return super().search(request, extra_context)\n\n    def each_context"),
    ),
    *of(
        f"{SITE}/palette.py", FILES,
        ("the palette asks who may see",
         "if not page.number_field or not page.has_view_permission(request):",
         "if not page.number_field:"),
        ("the palette is bounded", "term})[:2])", "term}))"),
    ),
    *of(
        f"{SITE}/exporting.py", FILES,
        ("an export is a right", "        if not self.may_export(request):", "        if False:"),
        ("an export is a POST", "self.admin_site.admin_view(require_POST(self.export_view))",
         "self.admin_site.admin_view(self.export_view)"),
        ("only kinds on offer",
         "        if kind not in writers.kinds() or not chosen <= {one.name for one in columns}:",
         "        if not chosen <= {one.name for one in columns}:"),
        ("only columns on offer", "or not chosen <= {one.name for one in columns}:", "or False:"),
    ),
    *of(
        f"{SITE}/api.py", FILES,
        ("parameters are named", "        if unknown := sorted(set(request.query_params) - allowed):",
         "        if unknown := []:"),
    ),
    *of(
        f"{SITE}/api_access.py", FILES,
        ("answers of the API are not kept", '        answer["Cache-Control"] = "no-store"\n',
         '        answer["Cache-Control"] = "max-age=60"\n'),
    ),
    # What is written beside.
    *of(
        "backoffice/audit/services.py", ("tests/audit/test_services.py",),
        ("no mask in the record", "    elif isinstance(value, str) and _MASK in value:",
         "    elif value is NotImplemented:"),
    ),
    *of(
        "backoffice/audit/logs.py", ("tests/audit/test_logs.py", *FILES),
        ("a log names the kind of an error", 'line["exception"] = record.exc_info[0].__name__',
         'line["exception"] = repr(record.exc_info[1])'),
    ),
    *of(
        "backoffice/browser/middleware.py", ("tests/browser/test_headers.py",),
        ("nothing is stored", 'head.setdefault("Cache-Control", "no-store, private")',
         'head.setdefault("Cache-Control", "private")'),
    ),
    *of(
        "backoffice/project/settings.py", ("tests/browser/test_headers.py",),
        ("referrers are clean", 'SECURE_REFERRER_POLICY = "same-origin"',
         'SECURE_REFERRER_POLICY = "unsafe-url"'),
    ),
    *of(
        "backoffice/sheets/problems.py", ("tests/sheets/test_problems.py", *FILES),
        ("cells that may be personal are not quoted",
         "    return text if shown else _length(text)", "    return text"),
    ),
    *of(
        "backoffice/sheets/exporting/exports.py", ("tests/sheets/test_exports.py", *FILES),
        ("a workbook holds no formula", '    made.data_type = "s"\n', ""),
    ),
    *of(
        "backoffice/sheets/intake/escapes.py", ("tests/sheets/test_exports.py", *FILES),
        ("a csv begins no formula",
         """return f"'{value}" if value[:1] in ESCAPED else value""", "return value"),
    ),
    *of(
        "backoffice/accounts/sealing.py", (*FILES, "tests/accounts/test_sessions.py"),
        ("sessions lie sealed", '        return keyring.seal(text, use=USE).encode("ascii")',
         "        return text.encode()"),
    ),
    *of(
        "backoffice/project/settings.py", PLAIN,
        ("imports are closed by default", 'IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "import"',
         "IMPORT_EXPORT_IMPORT_PERMISSION_CODE = None"),
        ("exports are closed by default", 'IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "export"',
         "IMPORT_EXPORT_EXPORT_PERMISSION_CODE = None"),
    ),
    *FURTHER,
]  # fmt: skip
