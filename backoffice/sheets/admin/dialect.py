"""How the text of a csv file is written: guessed, shown with real rows, confirmed by a person."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from backoffice.sheets import cells, services
from backoffice.sheets.admin.base import OneImport
from backoffice.sheets.admin.covered import covered
from backoffice.sheets.admin.sheets_page import cell_text
from backoffice.sheets.errors import ReadError
from backoffice.sheets.intake.charsets import ENCODINGS
from backoffice.sheets.models import ImportJob
from backoffice.sheets.reading import dialects, spoken
from backoffice.sheets.reading.dialects import Dialect, Guess
from backoffice.sheets.reading.reader import CellError
from backoffice.site.visitors import signed_in

_ROWS = 12
_COLUMNS = 30
_FIGURES = re.compile(r"[+-]?[\d.,' ]+|\d{1,4}[./-]\d{1,2}[./-]\d{1,4}.*")
_UNSAID = "unsaid"
LABELS: Mapping[str, str | Promise] = {
    "encoding": gettext_lazy("Letters (encoding)"),
    "delimiter": gettext_lazy("Between columns"),
    "quote": gettext_lazy("Around texts"),
    "decimal": gettext_lazy("Decimal mark"),
    "thousands": gettext_lazy("Mark of thousands"),
    "dates": gettext_lazy("Order of dates"),
}
SCRIPTS: Mapping[str, str | Promise] = {
    "utf-8": gettext_lazy("all scripts"),
    "cp1252": gettext_lazy("Western Europe, Windows"),
    "iso-8859-15": gettext_lazy("Western Europe"),
    "cp1250": gettext_lazy("Central Europe"),
    "cp1251": gettext_lazy("Cyrillic"),
    "cp1253": gettext_lazy("Greek"),
    "cp1254": gettext_lazy("Turkish"),
    "mac-roman": gettext_lazy("Western Europe, old Mac"),
    "cp437": gettext_lazy("Western Europe, DOS"),
    "cp949": gettext_lazy("Korean"),
    "cp932": gettext_lazy("Japanese"),
    "euc-jp": gettext_lazy("Japanese, Unix"),
    "gb18030": gettext_lazy("Chinese, simplified"),
    "cp950": gettext_lazy("Chinese, traditional"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One question: its choices, what is chosen, and the guess where a person has to say it."""

    name: str
    label: str
    choices: list[tuple[str, str]]
    value: str | None
    """None while nobody has said it."""
    guess: str = ""


class DialectPage(OneImport):
    """Encoding, delimiter, decimal mark and order of dates, with the rows as they come out."""

    path = "imports/<uuid:number>/text/"
    name = "import_dialect"
    title = gettext_lazy("How the text is written")
    subtitle = gettext_lazy("A csv file does not say it. What is certain is chosen already.")
    template_name = "sheets/dialect.html"
    step = "sheets"

    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Show the questions; a workbook has none."""
        job = self.job(kwargs["number"])
        return self.render(request, **kwargs) if job.kind == "csv" else self.go("import", job)

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the questions and, for whose file it is, the first rows."""
        job = self.job(kwargs["number"])
        frame = self.frame(request, job)
        if not frame["mine"]:
            return {**frame, "said": _said(job)}
        guess = _guess(job)
        chosen = {name: request.POST.get(name) for name in LABELS if name in request.POST}
        fields = _fields(job, guess, chosen)
        shown = {one.name: one.value or getattr(guess.dialect, one.name) for one in fields}
        shown |= {one.name: one.value for one in fields if one.value is not None}
        return {**frame, "fields": fields, **_preview(job, shown)}

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        """Read the file so; with "preview", only show how it would come out."""
        job = self.job(kwargs["number"])
        services.must_own(job, signed_in(request))
        if job.kind != "csv":
            raise Http404
        if request.POST.get("do") == "preview":
            return self.render(request, **kwargs)
        try:
            services.read_as(job, _chosen(request), actor=signed_in(request))
        except (ValueError, services.StateError, ReadError) as error:
            return self.render(request, status=422, extra={"error": str(error)}, **kwargs)
        return self.go("import_sheets", job)


def _chosen(request: HttpRequest) -> Dialect:
    """Return the dialect of the form. Raises ValueError in words."""
    values = {name: request.POST.get(name, _UNSAID) for name in LABELS}
    open_names = [str(LABELS[name]) for name, value in values.items() if value == _UNSAID]
    if open_names:
        raise ValueError(_("Say it first: %s.") % ", ".join(open_names))
    if values["decimal"] == values["thousands"]:
        raise ValueError(_("One mark cannot stand for decimals and for thousands."))
    try:
        return Dialect.from_json(values)
    except ValueError:
        raise ValueError(_("Choose one of the offered ways.")) from None


def _guess(job: ImportJob) -> Guess:
    """Return the guess; a plain one for a file that cannot be read any more."""
    try:
        return dialects.guess(job) or Guess(Dialect())
    except (ReadError, OSError):
        return Guess(Dialect())


def _fields(job: ImportJob, guess: Guess, chosen: Mapping[str, str | None]) -> list[Field]:
    offered = _choices(guess)
    made = []
    for name, label in LABELS.items():
        posted = chosen.get(name)
        likely = getattr(guess.dialect, name)
        value: str | None = job.dialect.get(name) if job.dialect else None
        if posted is not None:
            value = None if posted == _UNSAID else posted
        elif not job.dialect and name not in guess.unsure:
            value = likely
        doubt = name in guess.unsure and not job.dialect
        hint = dict(offered[name]).get(likely, "") if doubt else ""
        made.append(Field(name, str(label), offered[name], value, hint))
    return made


def _choices(guess: Guess) -> dict[str, list[tuple[str, str]]]:
    likely = [name for name in guess.encodings if name in ENCODINGS]
    encodings = [*likely, *(name for name in ENCODINGS if name not in likely)]
    return {
        "encoding": [(name, encoding_words(name)) for name in encodings],
        "delimiter": _listed(dialects.DELIMITERS),
        "quote": _listed(dialects.QUOTES),
        "decimal": _listed(dialects.DECIMALS),
        "thousands": _listed(dialects.THOUSANDS),
        "dates": _listed(dialects.DATES),
    }


def encoding_words(name: str) -> str:
    """Return an encoding with the scripts that it is for."""
    return f"{name.upper()} · {SCRIPTS[name]}" if name in SCRIPTS else name.upper()


def _listed(known: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(value, str(text)) for value, text in known.items()]


def _said(job: ImportJob) -> list[tuple[str, str]]:
    """Return what was confirmed, in words."""
    offered = _choices(Guess(Dialect()))
    return [
        (str(LABELS[name]), dict(offered[name]).get(value, value))
        for name, value in job.dialect.items()
        if name in LABELS
    ]


def _preview(job: ImportJob, values: Mapping[str, str]) -> dict[str, Any]:
    """Return the first rows as the values read them, or why they do not."""
    try:
        rows = dialects.preview(job, Dialect.from_json(values), _ROWS)
    except ReadError as error:
        return {"preview_error": str(error)}
    except (ValueError, OSError):
        return {"preview_error": _("The file cannot be read so.")}
    width = min(max(map(len, rows), default=0), _COLUMNS)
    read = _Reading(Dialect.from_json(values))
    names = [[text] for text in rows[0]] if rows else []
    return {
        "preview": [
            [
                read.cell(_at(row, at), names[at] if number and at < len(names) else [])
                for at in range(width)
            ]
            for number, row in enumerate(rows)
        ]
    }


def _at(row: Sequence[str], at: int) -> str:
    return row[at] if at < len(row) else ""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text of the file and, where it is a number or a date, what it means."""

    text: str
    read: str = ""
    wrong: bool = False


class _Reading:
    """Says what numbers and dates of a dialect mean."""

    def __init__(self, dialect: Dialect) -> None:
        self._says = [
            say
            for read in (cells.moment("UTC"), cells.decimal)
            if (say := spoken.saying(read, dialect)) is not None
        ]

    def cell(self, text: str, called: Sequence[str]) -> Cell:
        """Return the cell for the page; a word means itself, and so does what is masked."""
        plain = cell_text(text)
        shown = covered(plain, called)
        if shown != plain:
            return Cell(shown)
        if not text.strip()[:1].isdigit() and text.strip()[:1] not in {"+", "-"}:
            return Cell(shown)
        for say in self._says:
            meant = say(text)
            if isinstance(meant, CellError):
                wrong = _FIGURES.fullmatch(text.strip()) is not None
                return Cell(shown, _("neither a number nor a date") if wrong else "", wrong=wrong)
            if meant != text:
                return Cell(shown, str(meant))
        return Cell(shown)
