"""Settings of processes that a test starts: as in production, with the files of that test."""

import os

from backoffice.project.settings import *  # noqa: F403 - settings are a star import by design
from backoffice.project.settings import MEDIA_ROOT

MEDIA_ROOT /= os.environ.get("PYTEST_XDIST_WORKER", "")
