"""The rules, in the order in which they are asked, and how the answer comes of what they find."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import PermissionsMixin
from django.db.models import Model
from django.utils import translation
from django.utils.functional import Promise

from backoffice.accounts import acting, machines
from backoffice.accounts.models import Kind
from backoffice.policy import registry
from backoffice.policy.registry import STAFF, Person, is_active, scope

# What only the person themselves does, and nobody who acts for them.
_THEIRS = ("reveal_", "unmask_", "export_", "approve_", "decide_")


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer and the rule that gave it, in words for the log and for `explain` pages."""

    allowed: bool
    rule: str

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class Pass:
    """What a token opens (`held`), and what the view asks of it (None: no token will do)."""

    needed: str | None
    held: Collection[str]


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks for what, with which records of one model; none for a model or a page."""

    user: Person
    permission: str
    records: Sequence[Model]
    site: str
    token: Pass | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether one rule holds for one record; `words` for the log, `facts` for people's words."""

    rule: "Rule"
    holds: bool
    words: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. A gate refuses where it does not hold; one that `opens` lets in where it does.

    `look(question, records)` returns primary key -> finding (None is the key without records). It
    may be short of keys only where it `opens`: what it does not name, it does not open. A rule
    that `narrows` counts for what others opened.
    """

    name: str
    look: Callable[[Question, Sequence[Model]], dict[Any, Finding]]
    opens: bool = False
    narrows: bool = False
    of_records: bool = False

    def matters(self, so_far: Sequence[Finding]) -> bool:
        """Say whether the rule could still change the answer."""
        if any(not found.holds and not found.rule.opens for found in so_far):
            return False
        opened = any(found.holds and found.rule.opens for found in so_far)
        return opened if self.narrows else not (self.opens and opened)


def ask(question: Question, *, everything: bool = False) -> dict[Any, list[Finding]]:
    """Return key -> findings, in the order of RULES; only those that matter unless `everything`."""
    by_key: dict[Any, Model | None] = {record.pk: record for record in question.records}
    found: dict[Any, list[Finding]] = {key: [] for key in by_key or {None: None}}
    for rule in RULES:
        if rule.of_records and not question.records:
            continue
        open_ones = [key for key in found if everything or rule.matters(found[key])]
        if not open_ones:
            continue
        records = [record for key in open_ones if (record := by_key.get(key)) is not None]
        said = rule.look(question, records)
        for key in open_ones:
            if key in said:
                found[key].append(said[key])
    return found


def deciding(found: Sequence[Finding]) -> Finding:
    """Return the finding that settles it: a gate that refuses, else what lets in, else nothing."""
    opened = [one for one in found if one.rule.opens and one.holds]
    closed = [
        one
        for one in found
        if not one.rule.opens and not one.holds and (opened or not one.rule.narrows)
    ]
    return (closed or opened or [one for one in found if one.rule.opens])[0]


def decision(found: Sequence[Finding]) -> Decision:
    one = deciding(found)
    return Decision(allowed=one.rule.opens and one.holds, rule=one.words)


def _all(question: Question, finding: Finding) -> dict[Any, Finding]:
    return dict.fromkeys([record.pk for record in question.records] or [None], finding)


def _look_active(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    holds = is_active(question.user)
    words = "active" if holds else "not signed in, or not active any more"
    return _all(question, Finding(_ACTIVE, holds, words))


def _look_kept(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    """Refuse a program what is kept for people."""
    is_program = getattr(question.user, "kind", "") == Kind.SERVICE
    kept = machines.is_for_people(question.permission)
    facts = {"program": is_program, "kept": kept}
    words = f"{question.permission} is kept for people"
    return _all(question, Finding(_KEPT, not (is_program and kept), words, facts))


def _look_acting(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    """Refuse whoever acts for the person what is theirs alone."""
    theirs = question.permission.partition(".")[2].startswith(_THEIRS)
    words = "not while somebody acts for the person"
    return _all(question, Finding(_ACTING, not (acting.is_acting() and theirs), words))


def _look_token(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    return {} if question.token is None else _all(question, by_token(question.token))


def by_token(token: Pass) -> Finding:
    """Return whether a token opens what a view of the API asks of it; the API asks it too."""
    holds = token.needed is not None and token.needed in token.held
    words = "no token may do this" if token.needed is None else f"the token lacks {token.needed}"
    return Finding(_TOKEN, holds, words, {"needed": token.needed})


def _look_role(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    user, permission = question.user, question.permission
    holds = isinstance(user, PermissionsMixin) and user.has_perm(permission)
    superuser = holds and bool(getattr(user, "is_superuser", False))
    words = "superuser" if superuser else f"{'a' if holds else 'no'} role gives {permission}"
    return _all(question, Finding(_ROLE, holds, words, {"superuser": superuser}))


def _look_grant(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    words = f"a grant of {question.permission} for this record"
    found: dict[Any, Finding] = {}
    for source in registry.grants:
        for key, grant in source(question.user, question.permission, records).items():
            facts = {"giver": grant.giver, "until": grant.until}
            found[key] = Finding(_GRANT, holds=True, words=words, facts=facts)
    without = Finding(_GRANT, holds=False, words="no grant for this record")
    return {record.pk: found.get(record.pk, without) for record in records}


def _look_denial(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    found = dict.fromkeys(
        [record.pk for record in records], Finding(_DENIAL, holds=True, words="nothing denies it")
    )
    for refuse in registry.denials:
        for key, why in refuse(question.user, question.permission, records).items():
            found[key] = Finding(_DENIAL, holds=False, words=_untranslated(why), facts={"why": why})
    return found


def _untranslated(text: str | Promise) -> str:
    """Return the text as the code has it: what is logged is in one language."""
    with translation.override(None):
        return str(text)


def _look_scope(question: Question, records: Sequence[Model]) -> dict[Any, Finding]:
    outside = _outside(question.user, records, question.site)
    facts = {"site": question.site}
    return {
        record.pk: Finding(_SCOPE, record.pk not in outside, "outside your scope", facts)
        for record in records
    }


_ACTIVE = Rule("active", _look_active)
_KEPT = Rule("kept", _look_kept)
_ACTING = Rule("acting", _look_acting)
_TOKEN = Rule("token", _look_token)
_ROLE = Rule("role", _look_role, opens=True)
_GRANT = Rule("grant", _look_grant, opens=True, of_records=True)
_DENIAL = Rule("denial", _look_denial, of_records=True)
_SCOPE = Rule("scope", _look_scope, narrows=True, of_records=True)
RULES = (_ACTIVE, _KEPT, _ACTING, _TOKEN, _ROLE, _GRANT, _DENIAL, _SCOPE)


def _outside(user: Person, records: Sequence[Model], site: str) -> set[Any]:
    """Return the keys of the records outside the person's scope; asks only where there is one."""
    by_model: dict[type[Model], set[Any]] = defaultdict(set)
    for record in records:
        by_model[type(record)].add(record.pk)
    outside: set[Any] = set()
    for model, keys in by_model.items():
        if site != STAFF or (model, site) in registry.scopes:
            rows = scope(user, model._default_manager.filter(pk__in=keys), site=site)
            outside |= keys - set(rows.values_list("pk", flat=True))
    return outside
