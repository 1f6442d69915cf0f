"""Finding a person in text that somebody typed, and taking them out."""

import io
import time
import zipfile
from collections.abc import Iterable
from typing import Any

import pytest

from backoffice.files import mentions
from backoffice.files.mentions import names
from backoffice.masking.mentions import (
    REMOVED,
    Elsewhere,
    Mentions,
    identifies,
    is_full_name,
)
from backoffice.sheets.intake.charsets import ENCODINGS

PERSON = Mentions(
    [
        ("name", "Zoë O'Mentionova"),
        ("email", "zoe.m+1@mention-canary.example"),
        ("phone", "+44 7700 904 831"),
        ("name", "김민수"),
        ("text", "12 Quzzwick Lane, Vexhollow"),
        ("bank_account", "DE89 3704 0044 0532 0130 00"),
        ("date", "1961-02-17"),
        ("name", "Li"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        "Mrs Zoë O'Mentionova called",
        "ZOË O\N{RIGHT SINGLE QUOTATION MARK}MENTIONOVA",
        "O'Mentionova, Zoë",
        "write to zoe.m+1@mention-canary.example today",
        "q=zoe.m%2B1%40mention-canary.example",
        "&lt;zoe.m&#43;1@mention-canary.example&gt;",
        '"Zo\\u00eb O\'Mentionova"',
        "(+44) 7700-904831",
        "0044 7700 904831",
        "call 07700 904831",
        "김민수가 전화했다",
        "12, QUZZWICK LANE\nVexhollow",
        "to DE89370400440532013000!",
    ],
)
def test_person_is_found_and_taken_out(text: str) -> None:
    assert PERSON.find(text)
    assert not PERSON.find(PERSON.without(text))
    assert REMOVED in PERSON.without(text)


@pytest.mark.parametrize(
    "text",
    ["Li called", "order 12417", "17.02.1961 or 1961-02-17", "Zoë alone", "1234567 pieces",
     "Mentionova", "07700 904832", "김민", ""],
)  # fmt: skip
def test_others_are_left_alone(text: str) -> None:
    assert (PERSON.find(text), PERSON.without(text)) == (False, text)


def test_only_the_person_is_taken_out() -> None:
    text = "Bo told Zoë O'Mentionova (zoe.m+1@mention-canary.example) to wait"
    assert PERSON.without(text) == f"Bo told {REMOVED} ({REMOVED}) to wait"


def test_json_keeps_its_shape() -> None:
    value = {"a": ["call 07700904831", 5, None], "b": {"Zoë O'Mentionova": True}}
    assert PERSON.cleaned(value) == {"a": [f"call {REMOVED}", 5, None], "b": {REMOVED: True}}


def test_nobody_is_found_in_nothing() -> None:
    nobody = Mentions([])
    assert (bool(nobody), nobody.find("Zoë"), nobody.without("Zoë")) == (False, False, "Zoë")


def packed(text: str, *, twice: bool = False) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside", packed(text) if twice else text)
    return target.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        "a;Zoë O'Mentionova;b".encode(),
        "a;Zoë O'Mentionova;b".encode("cp1252"),
        "a;Zoë O'Mentionova;b".encode("utf-16"),
        "a;김민수;b".encode("cp949"),
        packed("<r><t>Zoë</t></r><r><t> O&apos;Mentionova</t></r>"),
        packed("zoe.m+1@mention-canary.example", twice=True),
        b"PK\x03\x04 no zip: 07700904831",
    ],
)
def test_person_is_found_in_a_file(content: bytes) -> None:
    assert names([content], PERSON)
    assert not names([b"x,y\n", packed("nobody")], PERSON)


def bomb(layers: int, size: int = 1_000_000) -> bytes:
    """Return archives in archives, each of two of the layer below, with zeros at the bottom."""
    content = b"0" * size
    for _layer in range(layers):
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", content)
            archive.writestr("b", content)
        content = target.getvalue()
    return content


def test_archive_is_unpacked_to_an_end_and_counts_as_holding_the_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = []
    inner: Any = mentions._in_text

    def counted(parts: Iterable[bytes], people: Mentions, *_said: str) -> bool:
        whole = b"".join(parts)
        read.append(len(whole))
        found: bool = inner([whole], people)
        return found

    monkeypatch.setattr(mentions, "_in_text", counted)
    monkeypatch.setattr(mentions, "UNPACKED", 9_000_000)
    assert not names([bomb(3)], PERSON)
    assert sum(read) == 8_000_000
    read.clear()
    monkeypatch.setattr(mentions, "UNPACKED", 3_000_000)
    assert names([bomb(3)], PERSON)
    assert sum(read) <= 3_000_000


def test_archive_deeper_than_is_looked_counts_as_holding_the_person() -> None:
    assert not names([bomb(3, 10)], PERSON)
    assert names([bomb(4, 10)], PERSON)


def test_long_text_outside_of_archives_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mentions, "UNPACKED", 10)
    assert not names([b"nobody here, " * 10], PERSON)


def test_damaged_archive_is_read_as_text() -> None:
    whole = bytearray(packed("nobody " * 50))
    whole[40:60] = b"07700904831".center(20)
    assert names([bytes(whole)], PERSON)


def test_value_across_two_blocks_is_found() -> None:
    text = b"x" * 300_000 + b" zoe.m+1@mention-canary.example " + b"y" * 300_000
    cut = 300_010
    assert names([text[:cut], text[cut:]], PERSON)


@pytest.mark.parametrize(
    ("kind", "clear", "expected"),
    [
        ("email", "zoe@mention-canary.example", True),
        ("email", "Legal or fraud request", False),
        ("email", "at home@court of Example.Law", False),
        ("phone", "+44 7700 904 831", True),
        ("phone_number", "+44 7700 904 831", True),
        ("phone", "Legal or fraud request 2026 1234567", False),
        ("phone", "12345", False),
        ("bank_account", "DE89 3704 0044 0532 0130 00", True),
        ("bank_account", "Legal or fraud request", False),
        ("name", "Zoë O'Mentionova", False),
        ("address", "12 Quzzwick Lane, Vexhollow 12345678", False),
    ],
)
def test_value_stands_for_a_person_by_its_shape(kind: str, clear: str, expected: bool) -> None:  # noqa: FBT001
    assert identifies(kind, clear) is expected


@pytest.mark.parametrize(
    ("clear", "expected"),
    [
        ("Zoë Mentionova", True),
        ("김민수", True),
        ("Mentionova", False),
        ("Legal or fraud request", False),
        ("FRAUD, request", False),
        ("개인정보 요청", False),
        ("1961-02-17", False),
        ("", False),
    ],
)
def test_full_name_is_no_word_of_ours(clear: str, expected: bool) -> None:  # noqa: FBT001
    labels = ["Legal or fraud request", "법적 또는 개인정보 요청"]
    assert is_full_name(clear, labels) is expected


def test_elsewhere_all_values_go_once_one_of_them_identifies() -> None:
    email, name = ("email", "zoe@mention-canary.example"), ("name", "Legal or fraud request")
    found = Elsewhere([email], Mentions([email, name]))
    text = "Legal or fraud request of zoe@mention-canary.example"
    assert found.without(text) == f"{REMOVED} of {REMOVED}"
    assert found.without("Legal or fraud request") == "Legal or fraud request"
    assert found.cleaned({"a": "Legal or fraud request"}) == {"a": "Legal or fraud request"}
    row = {"a": ["Legal or fraud request"], "b": "zoe@mention-canary.example"}
    assert found.cleaned(row) == {"a": [REMOVED], "b": REMOVED}
    assert not Elsewhere([], Mentions([name]))


WRITTEN = [
    ("cp1250", "Łukasz Wiśniewski"), ("cp1251", "Наталья Кузнецова"),
    ("cp1253", "Ελένη Παπαδοπούλου"),
    ("cp1254", "Gülşen Şimşek"), ("euc-jp", "山田太郎"), ("mac-roman", "Zoë Éléonore Brûlé"),
    ("cp437", "Jörg Käßmann"), ("cp950", "陳小明"), ("cp949", "김민수"), ("gb18030", "欧阳娜娜"),
    ("cp932", "山田太郎"), ("iso-8859-15", "Zoë Éléonore Brûlé"),
]  # fmt: skip


@pytest.mark.parametrize(("encoding", "name"), WRITTEN)
def test_text_is_read_in_every_encoding_of_uploads(encoding: str, name: str) -> None:
    content = f"name,city\n{name},x\n".encode(encoding)
    assert names([content], Mentions([("name", name)]))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_text_is_read(encoding: str) -> None:
    name = "Наталья Кузнецова"
    content = f"name,city\n{name},x\n".encode(encoding)
    said = encoding if encoding == "utf-32-be" else ""
    assert names([content], Mentions([("name", name)]), said)


def test_every_encoding_of_uploads_is_among_them() -> None:
    wide = {one for one in ENCODINGS if one.startswith("utf-")}
    tried = {encoding for encoding, _name in WRITTEN}
    assert set(ENCODINGS) == wide | tried | {"cp1252"}


@pytest.mark.parametrize("odd", [0, 1])
def test_binary_workbooks_are_read(odd: int) -> None:
    """Texts of a binary workbook begin anywhere."""
    name = "Jörg Käßmann-Özdemir"
    body = b"\x01\x00\x00\x00" * 10 + b"\xff" * odd + name.encode("utf-16-le") + bytes(8)
    people = Mentions([("name", name)])
    assert names([body], people)
    assert not names([body], Mentions([("name", "Somebody Else")]))


def test_old_workbook_counts_as_holding() -> None:
    body = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(40)
    assert names([body], Mentions([("name", "Somebody Else")]))


def test_long_texts_take_time_by_their_length() -> None:
    known = Mentions([("email", "ann@example.org")])
    start = time.process_time()
    assert known.find("a " * 300_000 + "ann@example.org")
    assert time.process_time() - start < 20  # the square of the words takes minutes
