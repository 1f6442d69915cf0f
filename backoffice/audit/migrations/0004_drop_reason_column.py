from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_move_reasons")]

    operations = [migrations.RemoveField(model_name="event", name="reason")]
