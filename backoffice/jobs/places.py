"""Where personal data could lie in jobs: titles, messages, logs, and the rows of their tasks.

Jobs refuse personal values (`plain.require_plain`); what slipped through is found here.
"""

from django.utils.translation import gettext_lazy as _

from backoffice.masking import subjects
from backoffice.masking.subjects import CLEAN, Place

_OURS = _("A word of ours")


def register() -> None:
    """Put the places in force."""
    for name, label, model, columns, kept in (
        (
            "jobs.jobs",
            _("Jobs"),
            "jobs.job",
            ("title", "message", "params", "result", "checkpoint"),
            ("kind", "worker"),
        ),
        ("jobs.log", _("Logs of jobs"), "jobs.joblog", ("text",), ()),
        (
            "jobs.tasks",
            _("Tasks of the worker"),
            "django_tasks_database.dbtaskresult",
            ("args_kwargs", "return_value", "traceback"),
            ("task_path", "worker_ids", "queue_name", "backend_name", "exception_class_path"),
        ),
    ):
        subjects.register(
            Place(
                name,
                label,
                model,
                fields=dict.fromkeys(columns, CLEAN),
                kept=dict.fromkeys(kept, _OURS),
                everywhere=True,
            )
        )
    for own in ("jobs.worker", "jobs.recurring"):
        subjects.exempt(own, _("Names of processes and functions"))
