"""An import whose process is killed: the next one does the rest, no row twice and no mail twice."""

from __future__ import annotations

import io
import signal
from collections import Counter

import make
from django.db import transaction
from stage import Stage, wait_until

from accounts.models import Contact
from enrollments.importing import import_members
from enrollments.members_file import open_sheet
from enrollments.models import Grant, ImportBatch
from notifications.models import Message, State
from portal import context

ROWS = 10_000
NEW = 100  # of them, spread over the file, are given something new


def members(numbers: range) -> bytes:
    return "\n".join(["Email", *(f"member{n}@example.com" for n in numbers)]).encode()


def known() -> bytes:
    """Everybody but each hundredth."""
    lines = members(range(ROWS)).split(b"\n")
    del lines[1 :: ROWS // NEW]
    return b"\n".join(lines)


def sent() -> int:
    return Message.objects.filter(state=State.SENT).count()


def test_killed_in_the_middle_of_a_file_the_next_clock_does_the_rest(stage: Stage):
    offer, alice = make.offer(), make.staff(email="alice@example.com")
    import_members(open_sheet(io.BytesIO(known())), offers=[offer], file_name="x", notify=False)
    with context.acting(user=alice):
        batch = ImportBatch.objects.upload(
            content=members(range(ROWS)), offers=[offer], file_name="members.csv"
        )
    clock = stage.clock()
    wait_until(lambda: ImportBatch.objects.get(pk=batch.pk).checked_at, timeout=60)

    # The clock comes as far as somebody of the third transaction, whom we hold.
    clock.freeze()
    with context.acting(user=alice):
        ImportBatch.objects.get(pk=batch.pk).start()
    with transaction.atomic():
        Contact.objects.select_for_update().get(email="member5001@example.com")
        clock.signal(signal.SIGCONT)
        wait_until(lambda: ImportBatch.objects.get(pk=batch.pk).done == 4000, timeout=60)
        # No mail is on its way: one that was sent and not yet marked may come again.
        wait_until(lambda: sent() == NEW * 4000 // ROWS, timeout=60)
        clock.kill()
    assert batch.rows.count() == 4000
    stage.clock()

    wait_until(lambda: ImportBatch.objects.get(pk=batch.pk).finished_at, timeout=60)
    batch.refresh_from_db()
    assert {key: number for key, number in batch.counts.items() if number} == {
        "created": NEW,
        "unchanged": ROWS - NEW,
    }
    assert batch.rows.count() == batch.rows.values("contact").distinct().count() == ROWS
    assert Grant.objects.filter(source=batch.source).count() == NEW
    assert Grant.objects.count() == Contact.objects.count() == ROWS
    wait_until(lambda: sent() == NEW + 1, timeout=60)
    mails = Counter(letter.to for letter in stage.post.letters)
    assert len(mails) == NEW + 1
    assert set(mails.values()) == {1}
    [told] = stage.post.to(alice.email)
    assert f"Created: {NEW}" in told.text
