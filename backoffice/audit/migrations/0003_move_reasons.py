"""Typed reasons move from the event to a table of their own, where they can be erased."""

import hashlib
import secrets

from django.db import migrations

BATCH = 1000


def out(apps, schema_editor):
    event, typed = apps.get_model("audit", "Event"), apps.get_model("audit", "EventReason")
    rows = event.objects.exclude(reason="").order_by("pk")
    last = 0
    while batch := list(rows.filter(pk__gt=last).only("pk", "reason")[:BATCH]):
        reasons = []
        for row in batch:
            salt = secrets.token_hex(16)
            row.reason_hash = hashlib.sha256((salt + row.reason).encode()).hexdigest()
            reasons.append(typed(event_id=row.pk, text=row.reason, salt=salt))
        typed.objects.bulk_create(reasons)
        event.objects.bulk_update(batch, ["reason_hash"])
        last = batch[-1].pk


def back(apps, schema_editor):
    event, typed = apps.get_model("audit", "Event"), apps.get_model("audit", "EventReason")
    for reason in typed.objects.iterator(chunk_size=BATCH):
        event.objects.filter(pk=reason.event_id).update(reason=reason.text)
    typed.objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_subjects_reasons_seals")]

    operations = [migrations.RunPython(out, back)]
