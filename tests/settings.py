"""Settings of the tests: the project's own, on data of their own, with a fast password hasher.

Every run has its own folder, so that two runs in one checkout never meet.
"""

import atexit
import os
import shutil
import tempfile
from typing import Any

if "BACKOFFICE_VAR" not in os.environ:
    # pytest-xdist's workers inherit the folder; only the process that made it takes it away.
    _folder = tempfile.mkdtemp(prefix="backoffice-test-")
    os.environ["BACKOFFICE_VAR"] = _folder
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ.setdefault("BACKOFFICE_LOG_LEVEL", "WARNING")
# Playwright's synchronous API keeps an event loop in the thread in which the tests use the ORM.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

from backoffice.project.settings import *  # noqa: F403 - settings are a star import by design
from backoffice.project.settings import DATABASES, MEDIA_ROOT, STATIC_ROOT, VAR_DIR

STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Tests look which files are left: those of the workers beside must not be among them.
MEDIA_ROOT /= os.environ.get("PYTEST_XDIST_WORKER", "")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

BACKOFFICE_RETENTION = dict[str, int]()  # as in production: each test sets its own
BACKOFFICE_REFUND_LIMITS = dict[str, list[str]]()
BACKOFFICE_IMPORT_APPROVAL = dict[str, Any]()

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file, not memory: the worker, the live server and threads share it as they do in life.
    DATABASES["default"]["TEST"] = {"NAME": str(VAR_DIR / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"
else:
    # Connections kept by threads would hold the test database open when it is dropped.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
