"""Settings of processes that a test starts: as in production, with the files of that test."""

import os
from pathlib import Path

from backoffice.project.settings import *  # noqa: F403 - settings are a star import by design

MEDIA_ROOT = Path(os.environ["FILES_OF_THE_TEST"])
