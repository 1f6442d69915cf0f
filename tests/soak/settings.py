"""Settings of the soak: the project's own, with its app, quiet and quick to miss a dead worker."""

import os
from typing import Any

os.environ.setdefault("BACKOFFICE_LOG_LEVEL", "CRITICAL")
os.environ.setdefault("BACKOFFICE_JOB_LOST_AFTER", "3")

from backoffice.project.settings import *  # noqa: F403 - settings are a star import by design
from backoffice.project.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.soak.apps.SoakConfig"]
DATABASES["default"]["CONN_MAX_AGE"] = 0
# A soak is about the work of an import; who has to agree is tested elsewhere.
BACKOFFICE_IMPORT_APPROVAL = dict[str, Any]()
