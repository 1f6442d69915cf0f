"""The protections beside fields, queries and pages: keys, caps, erasure, exports, errors."""

from tests.mutation.protection import of

MASKING, SITE, SERVICES = "backoffice/masking", "backoffice/site", "customers/services"
CHECKS = ("tests/masking/test_checks.py",)
LOOKUPS = (
    "tests/masking/test_lookups.py",
    "tests/masking/test_statements.py",
    "tests/masking/test_index_queries.py",
)
ENCRYPTION = ("tests/masking/test_encryption.py",)
DOCUMENTS = ("tests/masking/test_documents.py",)
ROTATION = ("tests/masking/test_rotation.py", "tests/masking/test_copying.py")
COPYING = ("tests/masking/test_copying.py",)
LIMITS = ("tests/masking/test_services.py",)
ALARMS = ("tests/masking/test_alarms.py",)
TAKEN = ("tests/leaks/test_taken.py",)
MENTIONS = ("tests/masking/test_mentions.py",)
UNMASKING = ("tests/masking/test_unmasking.py",)
PLACES = ("tests/project/test_personal_places.py",)
ERASURE = ("tests/customers/test_erasure.py", "tests/customers/test_erasure_of_mentions.py")
DESK = ("tests/customers/test_privacy_desk.py", "tests/customers/test_privacy_pages.py")
MERGING = ("tests/customers/test_merging.py",)
EDITS = ("tests/customers/test_services.py", "tests/customers/test_api.py")
CLEAR = ("tests/sheets/test_clear_exports.py",)
REPORTS = ("tests/audit/test_reports.py",)
REFUSALS = ("tests/site/test_refusals.py",)
SEALING = ("tests/files/test_sealing.py",)
SITES = ("tests/site/test_sites.py",)
GUARDED = ("tests/accounts/test_guarded.py",)
FACTOR = ("tests/leaks/test_second_factor.py",)

FURTHER = [
    # Queries and keys.
    *of(
        f"{MASKING}/compiling.py", LOOKUPS,
        ("every node of a query is asked", "    if hidden(node) is not None:", "    if False:"),
        ("a column comes out under its own mask",
         "    if field is None or not _same(field, out):", "    if False:"),
        ("a union is of one mask", "        if not _same(out, top):", "        if False:"),
        ("an index comes out sealed", " if _makes_objects(compiler) else ():", ":"),
        ("an index is held like its column", "_HIDDEN = (MaskedMixin, BlindIndexField)",
         "_HIDDEN = (MaskedMixin,)"),
        ("an index is compared with values alone", "        return all(map(_is_value, values))",
         "        return True"),
        ("combinations do not compare",
         '        if compiler.query.combinator != "union" and not _has_key(part.select):',
         "        if False:"),
        ("raw() names no masked column", "    if not statements.is_whole_rows(rows):",
         "    if False:"),
        ("SQL by hand names no masked column", "    if statements.tells(text, scope):",
         "    if False:"),
        ("a template of a function is SQL by hand",
         "    if isinstance(node, Func) and node.extra:", "    if False:"),
        ("masked columns are not sorted by their place",
         "            _require_unsorted(compiler)\n", "            pass\n"),
    ),
    *of(
        f"{MASKING}/statements.py", LOOKUPS,
        ("SQL by hand names no table with masked columns",
         "    return not left.isdisjoint(tables) or any(", "    return any("),
        ("SQL by hand names no column under other letters", "    if _ANY_NAME.search(text):",
         "    if False:"),
        ("raw() gives a column no other name", " or rows.translations or", " or"),
        ("raw() compares no rows", " or _compares(top[\"rest\"])", ""),
        ("raw() renames no columns", "    if renamed or None in items or", "    if None in items or"),
        ("raw() brings rows of its own model",
         "    return tables[:1] == [own] and not any(table in masked for table in tables[1:])",
         "    return True"),
    ),
    *of(
        f"{MASKING}/uniqueness.py", ROTATION,
        ("a value stays single across keys", "                require_single(self.using, index, digests)\n",
         "                pass\n"),
        ("an INSERT is looked at", '    _guard(SQLInsertCompiler, "execute_sql", _inserted)\n', ""),
        ("an UPDATE is looked at", '    _guard(SQLUpdateCompiler, "execute_sql", _updated)\n'
         '    _guard(SQLUpdateCompiler, "execute_returning_sql", _updated)\n', ""),
    ),
    *of(
        f"{MASKING}/copying.py", COPYING,
        ("COPY is refused on masked columns", "    if _COPY.match(text) and not _ours.get():",
         "    if False:"),
    ),
    *of(
        f"{MASKING}/ciphers.py", ENCRYPTION,
        ("a value is sealed for its field", '    return f"masking.{binding}"', '    return "masking"'),
        ("what does not open is nothing", "    except keyring.UnreadableError:\n        return None",
         "    except keyring.UnreadableError:\n        return text"),
    ),
    *of(
        f"{MASKING}/documents.py", DOCUMENTS,
        ("leaves are hidden unless declared",
         "        return any(path[: len(known)] == known for known in self.open_paths)",
         "        return True"),
        ("an altered mask is refused", "        if any(_is_foreign(leaf) for leaf in _leaves(value)):",
         "        if False:"),
    ),
    *of(
        f"{MASKING}/rotation.py", ROTATION,
        ("what no key opens is left", "        if is_lost(value):\n            continue",
         "        if False:\n            continue"),
        ("a rotation is on the record",
         '        record(ROTATED, actor=actor, context={**newest(), "rows": dict(done)})',
         "        pass"),
        ("an index that outlived its value is told",
         "    elif _digest_in(row, index) != index.digest_of(value):", "    elif False:"),
        ("values of an older key are told", '"need an older key of BACKOFFICE_KEYS": self.old,',
         '"need an older key of BACKOFFICE_KEYS": 0,'),
    ),
    # How much, and who hears of it.
    *of(
        f"{MASKING}/allowances.py", LIMITS,
        ("an hour has an end", "Allowance(most.hour - len(hour | also),", "Allowance(most.hour,"),
        ("a day has an end", "most.day - len(last.keys() | also))", "most.day)"),
        ("everybody has a limit of their own", "filter(actor=actor, verb=REVEALED,",
         "filter(verb=REVEALED,"),
    ),
    *of(
        f"{MASKING}/alarms.py", ALARMS,
        ("nobody hears of themselves", ".exclude(pk=person.pk).order_by", ".order_by"),
        ("nobody settles their own",
         "    if actor.pk == alarm.person_id or not may(actor, SETTLE, None):",
         "    if not may(actor, SETTLE, None):"),
        ("settling is a right",
         "    if actor.pk == alarm.person_id or not may(actor, SETTLE, None):",
         "    if actor.pk == alarm.person_id:"),
        ("a finding is said", "    if not finding.strip():", "    if False:"),
    ),
    *of(
        f"{MASKING}/existence.py", TAKEN,
        ("who is told is on the record",
         "    record(TOLD, actor=actor, subject=model, outcome=Outcome.REFUSED, context=facts)\n", ""),
        ("such answers have an end", "    return rates.is_spent(RATE, actor.pk)", "    return False"),
    ),
    *of(
        f"{SITE}/taken.py", TAKEN,
        ("a form does not say why", "            self._drop({name})\n            self.add_error(",
         "            self.add_error("),
        ("after too many a form says nothing", "        if over:\n", "        if False:\n"),
        ("a constraint over an index says no more",
         "str(existence.CANNOT_BE_USED) if touched else self.refused", "self.refused"),
    ),
    *of(
        f"{SITE}/api_errors.py", TAKEN,
        ("the API does not say why",
         "told = {name for name in single & set(detail) if _has(detail[name], existence.CODE)}",
         "told = set[str]()"),
        ("after too many the API says nothing", "    if single and isinstance(data, dict) and single",
         "    if False and isinstance(data, dict) and single"),
    ),
    *of(
        f"{SITE}/api_errors.py", REFUSALS,
        ("the API answers in words of ours", "[refusals.words(error)]", "[str(error)]"),
    ),
    *of(
        "backoffice/refusals.py", REFUSALS,
        ("what a database says is not quoted", "    cause = error.__cause__\n",
         "    return str(error)\n    cause = error.__cause__\n"),
    ),
    *of(
        f"{MASKING}/admin/unmasking.py", UNMASKING,
        ("the dialog is for who may", "        if not self._may(request):\n            raise PermissionDenied\n",
         ""),
        ("a page wants fields, reason and proof",
         "            if not dialogs.is_ready(form, request) or not rows:", "            if not rows:"),
    ),
    # Templates and checks.
    *of(
        f"{MASKING}/filters.py", ("tests/masking/test_filters.py",),
        ("a filter shows the mask",
         "        return str(value) if isinstance(value, Sealed) else original(value, *args, **kwargs)",
         "        return original(value, *args, **kwargs)"),
    ),
    *of(
        f"{MASKING}/dumpers.py", ("tests/masking/test_dumpers.py",),
        ("YAML holds masks", "        writer.add_representer(Sealed, _mask)\n", "        pass\n"),
    ),
    *of(
        f"{MASKING}/api_checks.py", CHECKS,
        ("views of the API are checked", "        if passes(model, name, MaskedMixin, BlindIndexField)",
         "        if False"),
        ("orders said by nobody are checked",
         '    if names == "__all__" or (names is None and can_order):', "    if False:"),
    ),
    *of(
        f"{MASKING}/checks.py", CHECKS,
        ("encrypting wants a key", "        if field.encrypted\n", "        if False\n"),
    ),
    *of(
        f"{MASKING}/paths.py", CHECKS,
        ("expressions are looked into", "        for part in _parts(expression):", "        for part in ():"),
    ),
    *of(
        f"{SITE}/checks.py", SITES,
        ("pages past the policy are reported", "        if opens_past_policy(page)\n",
         "        if False\n"),
        ("open pages of import-export are reported", "        if not getattr(settings, name, None)\n",
         "        if False\n"),
    ),
    # Erasure.
    *of(
        f"{MASKING}/subjects.py", PLACES,
        ("a forgotten field is reported", "        for column in uncovered()\n",
         "        for column in ()\n"),
        ("masked columns are emptied unasked",
         "known = {one.name: BLANK for one in masked_fields(self.table())} if self.rows else {}",
         "known = dict[str, str]()"),
    ),
    *of(
        f"{MASKING}/erasing.py", ERASURE,
        ("texts of others are searched", "if turn == _OWN and place.everywhere else None",
         "if False else None"),
        ("columns are emptied", "if way == subjects.TOMBSTONE else blank(place, name)",
         "if way == subjects.TOMBSTONE else value"),
    ),
    *of(
        f"{MASKING}/mentions.py", MENTIONS,
        ("what is written in code goes as a whole", "        return REMOVED if self.find(text) else text",
         "        return text"),
        ("keys are cleaned too", "{self.without(str(key)): self.cleaned(part)",
         "{str(key): self.cleaned(part)"),
        ("a name is known family first",
         '                self._whole.add("".join(map(_joined, [family, *given])))',
         "                pass"),
    ),
    *of(
        f"{SERVICES}/erasure.py", (*ERASURE, *DESK),
        ("who is erased is marked",
         "    history.update(rows.filter(erased_at=None), actor=actor, changes=changes)\n", ""),
        ("an erasure is noted outside",
         '    erased.note(Customer.objects.filter(pk__in=checkpoint["keys"]), digest(receipt))\n', ""),
        ("what opens later stops the job", "    if not run.checkpoint:\n        _refuse_blocked(case, run)\n",
         ""),
    ),
    *of(
        f"{SERVICES}/privacy.py", (*DESK, *ERASURE),
        ("the desk is a right", "    if not may(actor, MANAGE, None):", "    if False:"),
        ("what is open stops the asking",
         "    require(actor)\n    if case.kind == _Kind.ERASURE:\n        refuse_blocked(case)\n",
         "    require(actor)\n"),
        ("what is open stops the approval",
         "    case = _case_of(request)\n    if case.kind == _Kind.ERASURE:\n        refuse_blocked(case)\n",
         "    case = _case_of(request)\n"),
        ("who was erased is not looked into",
         "for row in customers if row.erased_at is not None}", "for row in customers if False}"),
    ),
    # Customers and files with clear values.
    *of(
        f"{SERVICES}/edits.py", EDITS,
        ("an edit is a right", '    if not may(actor, "change", customer):', "    if False:"),
        ("only some fields are edited", "    if unknown := sorted(set(changes) - EDITABLE):",
         "    if unknown := list[str]():"),
        ("personal data changes for a reason",
         "    if personal.intersection(changed) and not reason.strip():", "    if False:"),
        ("a customer is edited a few times an hour", "            require_few(kept, actor)\n", ""),
    ),
    *of(
        f"{SERVICES}/merging.py", MERGING,
        ("a merge is a right of both",
         "    if not (may(actor, _ASK, kept) and may(actor, _ASK, gone)):", "    if False:"),
        ("a merge compares under the lock", "    if _facts(merge) != request.snapshot:", "    if False:"),
        ("grants of the one that goes end", "    _end_grants(merge.gone, reason=reason)\n", ""),
        ("grants of the one that stays end too",
         "    _end_if_masked(merge.kept, merge.taken, reason=reason)\n", ""),
        ("and when an undo brings values back",
         "    _end_if_masked(kept, set(merge.taken) - set(fields), reason=reason)\n", ""),
    ),
    *of(
        "backoffice/sheets/exporting/clear_exports.py", CLEAR,
        ("a clear export is a right", "    if not (decision := policy.may(actor, RIGHT, model)):",
         "    if (decision := policy.may(actor, RIGHT, model)) is None:"),
        ("a clear export wants a reason", "    reason.clean()\n", ""),
        ("a clear export has a cap", "    if len(keys) > cap():", "    if False:"),
        ("the job asks for the right again",
         "    if not policy.may(export.owner, RIGHT, model_of(export)):\n        raise JobError",
         "    if False:\n        raise JobError"),
        ("the download asks for the right again",
         "    return export.owner_id == user.pk and bool(policy.may(user, RIGHT, model))",
         "    return export.owner_id == user.pk"),
        ("changed rows make no file", '    if state_of(export)["values"] != values:', "    if False:"),
        ("each record is on the record", "    _note_each(run, export)\n", ""),
        ("the file opens with proof", "            proof=True,\n", ""),
    ),
    *of(
        f"{SERVICES}/person_export.py", ("tests/customers/test_privacy_desk.py",),
        ("the export of a person asks for the right again",
         "    if case.asked_by is None or not may(case.asked_by, privacy.MANAGE, None):",
         "    if case.asked_by is None:"),
        ("so does its download", "lambda user, _kept: bool(may(user, privacy.MANAGE, None))",
         "lambda _user, _kept: True"),
    ),
    *of(
        "backoffice/files/admin.py", ("tests/files/test_links.py",),
        ("a download asks for the right", "        self._require_right(request, kept)\n", ""),
    ),
    *of(
        "backoffice/files/rights.py", ("tests/files/test_links.py",),
        ("a file with proof and no right stays shut", "    return not kept.proof_due if test is None",
         "    return True if test is None"),
    ),
    *of(
        "backoffice/files/services.py", ("tests/files/test_links.py",),
        ("a file with proof asks for a right",
         "    if proof and not rights.is_registered(purpose):", "    if False:"),
    ),
    *of(
        "backoffice/sheets/services.py", ("tests/sheets/test_sealed_uploads.py",),
        ("an upload is sealed",
         "    files.store(file.chunks(), job.file, name=taken.name, key=job.sealed_key, use=job.use)\n",
         "    job.file.save(taken.name, file, save=False)\n"),
        ("what was never sealed goes", "(unused | old | clear)", "(unused | old)"),
    ),
    # Clear values want a second factor.
    *of(
        "backoffice/accounts/stepup.py", FACTOR,
        ("a password is no fresh factor", "    if factor and wants_factor() and by != PROVIDER:",
         "    if False:"),
        ("a password proves nothing for clear values", "        if factor and wants_factor():\n",
         "        if False:\n"),
        ("without the setting it is on", 'getattr(settings, "BACKOFFICE_REVEAL_FACTOR", True)',
         'getattr(settings, "BACKOFFICE_REVEAL_FACTOR", False)'),
    ),
    *of(
        f"{MASKING}/admin/dialogs.py", FACTOR,
        ("a reveal wants a factor", "        factor=True,\n", ""),
    ),
    *of(
        f"{MASKING}/admin/unmasking.py", FACTOR,
        ("a page is unmasked after a factor", "wanted=True, factor=True)", "wanted=True)"),
    ),
    *of(
        "backoffice/sheets/admin/clear_exports.py", FACTOR,
        ("a clear export is asked for after a factor", "wanted=True, factor=True)", "wanted=True)"),
    ),
    *of(
        "customers/admin/privacy.py", FACTOR,
        ("a person's file is asked for after a factor", "        return subject.kind == _Kind.EXPORT",
         "        return False"),
    ),
    *of(
        "backoffice/files/admin.py", FACTOR,
        ("a clear file opens after a factor", ", back=home, factor=True)", ", back=home)"),
    ),
    # Giving access takes two people.
    *of(
        "backoffice/accounts/services.py", GUARDED,
        ("a right to clear values takes two",
         "    if granted and guarded.is_guarded(permission) and not guarded.is_alone(actor):",
         "    if False:"),
        ("the maker does not agree to a right", "    if agreed_by.pk == actor.pk:", "    if False:"),
        ("no role changes while acting", "    acting.refuse()\n", ""),
        ("the officer hears of a right", "        if granted and guarded.is_guarded(permission):\n"
         "            guarded.tell(", "        if False:\n            guarded.tell("),
    ),
    *of(
        "backoffice/accounts/guarded.py", GUARDED,
        ("who blocks the others is not alone",
         "    staff = User.objects.filter(is_staff=True, kind=Kind.PERSON)",
         "    staff = User.objects.filter(is_staff=True, kind=Kind.PERSON, is_active=True)"),
        ("what approves access is guarded", "    return permission in _named or ", "    return "),
    ),
    *of(
        "backoffice/accounts/people.py", GUARDED,
        ("a role with clear values takes two",
         "    asked = set() if alone else (set(wanted) - before) & guarded.guarded_roles()",
         "    asked = set[str]()"),
        ("who gets a role does not agree to it", "    if agreed_by.pk in {actor.pk, person.pk}:",
         "    if agreed_by.pk == actor.pk:"),
        ("nobody gives themselves a role", "    if person.pk == actor.pk:\n        raise",
         "    if False:\n        raise"),
    ),
    *of(
        "backoffice/approvals/access.py", GUARDED,
        ("who joins a role meanwhile voids the request",
         '        "people": [person.pk for person in _people_of(role)],\n', ""),
        ("who gets a role is barred from deciding",
         "{int(request.subject_id)} if request.kind == OF_PERSON else set()", "set()"),
    ),
    *of(
        "backoffice/approvals/grants.py", (*GUARDED, "tests/masking/test_grants.py"),
        ("an inviter lets in nobody they invited", "            excluded=voters.hosts,\n", ""),
        ("a stand-in lets nobody in", "            delegable=False,\n", ""),
    ),
    *of(
        "backoffice/files/sealing.py", SEALING,
        ("a chunk read from anywhere is proven",
         "                self._held = (number, self._cipher.decrypt(nonce, piece, self._use))\n",
         "                self._held = (number, piece[:-16])\n"),
        ("a damaged chunk is not handed out", "            except InvalidTag:\n                raise DamagedError from None",
         "            except InvalidTag:\n                return piece[:-16]"),
        ("a file is proven before it leaves",
         "    for _chunk in opened(source, key=key, use=use):\n        pass", "    return"),
    ),
    # Errors, and the end of a session.
    *of(
        "backoffice/audit/reports.py", REPORTS,
        ("a report has no locals", "dict.fromkeys(tb_frame.f_locals, WITHHELD).items()",
         "dict(tb_frame.f_locals).items()"),
        ("a report has nothing posted", "dict.fromkeys(request.POST, WITHHELD)",
         "dict(request.POST.items())"),
        ("a report has no text of the error",
         '        data["exception_value"] = f"{WITHHELD} {number}".strip()\n', ""),
    ),
    *of(
        "backoffice/browser/middleware.py", ("tests/browser/test_headers.py",),
        ("a session that ends clears the browser", "        if _is_over(request, response):",
         "        if False:"),
    ),
    *of(
        f"{SITE}/restoring.py", ("tests/site/test_restoring.py",),
        ("a record is restored a few times an hour", "        require_few(kept, actor)\n", ""),
    ),
    # What no erasure reaches.
    *of(
        f"{MASKING}/services.py", ("tests/masking/test_services.py",),
        ("a posted purpose is not kept",
         'return self.purpose if self.purpose in Purpose.values else ""', "return self.purpose"),
    ),
    *of(
        "backoffice/site/told_filters.py", ("tests/site/test_told_filters.py",),
        ("a typed filter is not kept",
         "told[name] = text if _is_plain(changelist, name, text) else HIDDEN", "told[name] = text"),
    ),
    *of(
        "backoffice/audit/admin/activity.py", ("tests/audit/test_searches.py",),
        ("a typed number is not kept",
         'return facts if rows or "number" not in facts else {**facts, "number": "*"}',
         "return facts"),
    ),
]  # fmt: skip
