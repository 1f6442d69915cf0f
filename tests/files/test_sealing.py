"""Kept files lie encrypted; what was changed, cut off or mixed up is never handed out."""

import os
import random
import tracemalloc
from collections.abc import Iterator
from io import BufferedReader, BytesIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from backoffice.accounts import sealed, stepup
from backoffice.accounts.models import User
from backoffice.audit.models import Event, Outcome
from backoffice.files import links, rights, sealing, services
from backoffice.files.models import KeptFile
from tests.clients import signed_in
from tests.people import PASSWORD

CANARY = b"qzcanary-of-a-customer"
FULL = sealing.CHUNK + 16
PURPOSE = "test_sealing"
rights.register(PURPOSE, lambda _user, _kept: True)


def keep(owner: User, content: bytes, *, proof: bool = False) -> KeptFile:
    return services.keep(
        content, name="rows.csv", kind="csv", purpose=PURPOSE, owner=owner, proof=proof
    )


def body(answer: object) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "size", [0, 1, sealing.CHUNK - 1, sealing.CHUNK, sealing.CHUNK + 1, 2 * sealing.CHUNK]
)
def test_what_was_kept_comes_back_and_nothing_of_it_lies_in_clear(oli: User, size: int) -> None:
    content = (CANARY * (size // len(CANARY) + 1))[:size]
    kept = keep(oli, content)
    lies = Path(kept.file.path).read_bytes()
    assert CANARY not in lies
    assert body(signed_in(oli).get(links.address(kept, "admin"))) == content
    assert (kept.size, len(lies)) == (size, size + 16 * max(1, -(-size // sealing.CHUNK)))


def clear(sealed_bytes: bytes, key: str) -> sealing.Clear:
    return sealing.Clear(BytesIO(sealed_bytes), key=key, use="u")


def sealed_of(content: bytes) -> tuple[bytes, str]:
    key, lies = sealing.new_key("u"), BytesIO()
    sealing.seal([content], lies, key=key, use="u")
    return lies.getvalue(), key


@pytest.mark.parametrize(
    "size", [0, 1, sealing.CHUNK - 1, sealing.CHUNK, sealing.CHUNK + 1, 2 * sealing.CHUNK, 200_000]
)
def test_sealed_file_is_read_from_anywhere_like_the_clear_one(size: int) -> None:
    content = os.urandom(size)
    file, like = BufferedReader(clear(*sealed_of(content))), BytesIO(content)
    chance = random.Random(size)
    for _ in range(60):
        way, place = chance.choice([(0, size + 9), (1, 70_000), (2, 0)])
        offset = chance.randint(-size if way == 2 else 0, place)
        assert file.seek(offset, way) == like.seek(offset, way)
        length = chance.randint(0, 90_000)
        assert (file.read(length), file.tell()) == (like.read(length), like.tell())
    assert (file.seek(0), file.read()) == (0, content)


def test_equal_files_lie_differently(oli: User) -> None:
    one, other = keep(oli, CANARY), keep(oli, CANARY)
    assert Path(one.file.path).read_bytes() != Path(other.file.path).read_bytes()


def damage(lies: bytes, other: bytes) -> dict[str, bytes]:
    """Return what may have become of a file of three chunks on the disk."""
    first, second, third = lies[:FULL], lies[FULL : 2 * FULL], lies[2 * FULL :]
    return {
        "one bit": lies[:100] + bytes([lies[100] ^ 1]) + lies[101:],
        "cut off at a chunk": first + second,
        "cut off inside a chunk": lies[:-1],
        "emptied": b"",
        "lengthened": lies + third,
        "swapped": second + first + third,
        "a chunk left out": first + third,
        "a chunk twice": first + first + second + third,
        "another file": other,
    }


@pytest.mark.parametrize("kind", list(damage(b"x" * 200, b"")))
def test_damage_is_told_by_who_reads_from_anywhere(kind: str) -> None:
    lies, key = sealed_of(os.urandom(2 * sealing.CHUNK + 500))
    other, _other_key = sealed_of(os.urandom(2 * sealing.CHUNK + 500))
    with pytest.raises(sealing.DamagedError):
        clear(damage(lies, other)[kind], key).read()


@pytest.mark.parametrize("kind", list(damage(b"x" * 200, b"")))
def test_damaged_file_is_not_handed_out_and_it_is_recorded(oli: User, kind: str) -> None:
    kept, other = (keep(oli, os.urandom(2 * sealing.CHUNK + 500)) for _ in range(2))
    path = Path(kept.file.path)
    path.write_bytes(damage(path.read_bytes(), Path(other.file.path).read_bytes())[kind])
    answer = signed_in(oli).get(links.address(kept, "admin"))
    assert (answer.status_code, answer.streaming) == (410, False)
    event = Event.objects.get(verb=services.DAMAGED)
    assert (event.outcome, event.subject_id) == (Outcome.FAILED, str(kept.pk))
    assert not Event.objects.filter(verb=services.DOWNLOADED).exists()


def test_key_of_one_file_opens_no_other(oli: User) -> None:
    one, other = keep(oli, CANARY), keep(oli, CANARY)
    other.sealed_key = one.sealed_key
    with pytest.raises(sealing.DamagedError):
        other.prove()


def test_rotation_seals_the_keys_and_leaves_the_files(oli: User, settings: Settings) -> None:
    kept = keep(oli, CANARY)
    lies = Path(kept.file.path).read_bytes()
    old = settings.BACKOFFICE_KEYS
    settings.BACKOFFICE_KEYS = (("next", "another secret of fair length"), *old)
    with pytest.raises(CommandError, match="1 of files need an older key"):
        call_command("keys", "check", stdout=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    assert sealed.rotate()["files"] == 1
    settings.BACKOFFICE_KEYS = settings.BACKOFFICE_KEYS[:1]
    assert Path(kept.file.path).read_bytes() == lies
    assert body(signed_in(oli).get(links.address(kept, "admin"))) == CANARY


def test_lost_key_is_told_by_the_check_and_by_the_page(oli: User, settings: Settings) -> None:
    kept = keep(oli, CANARY)
    settings.BACKOFFICE_KEYS = (("next", "another secret of fair length"),)
    assert sealed.check()["files"].unreadable == 1
    client = signed_in(oli)
    assert client.get(links.address(kept, "admin")).status_code == 410


def test_long_file_needs_little_memory(oli: User) -> None:
    part = os.urandom(1024 * 1024)

    def parts() -> Iterator[bytes]:
        for _number in range(100):
            yield part

    tracemalloc.start()
    kept = services.keep(parts(), name="long.csv", kind="csv", purpose="test", owner=oli)
    kept.prove()
    assert sum(map(len, kept.chunks())) == kept.size == 100 * 1024 * 1024
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * 1024 * 1024


def test_parts_of_any_length_are_one_file() -> None:
    key, sealed_file = sealing.new_key("a use"), BytesIO()
    parts = [b"", b"ab", os.urandom(sealing.CHUNK), b"", b"c" * 7]
    sealing.seal(parts, sealed_file, key=key, use="a use")
    sealed_file.seek(0)
    assert b"".join(sealing.opened(sealed_file, key=key, use="a use")) == b"".join(parts)


def test_file_that_asks_for_proof_wants_it_at_the_download(oli: User) -> None:
    kept, client = keep(oli, CANARY, proof=True), signed_in(oli)
    address = links.address(kept, "admin")
    assert body(client.get(address)) == CANARY
    session = client.session
    session["stepup_at"] -= stepup.FRESH_SECONDS + 1
    session.save()
    for answer in (client.get(address), client.post(address, {"step_up_proof": "wrong"})):
        assert (answer.streaming, CANARY in answer.content) == (False, False)
        assert "step_up_proof" in answer.content.decode()
    assert body(client.post(address, {"step_up_proof": PASSWORD})) == CANARY
    assert Event.objects.filter(verb=services.DOWNLOADED).count() == 2


def test_file_is_kept_for_a_day_at_most(oli: User) -> None:
    with pytest.raises(ValueError, match="a day at most"):
        services.keep(b"", name="x", kind="csv", purpose="test", owner=oli, lasts=2 * services.KEPT)
