"""Watched folders: which there are, and what came of each file."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from backoffice.sheets import folders
from backoffice.sheets.folders import Folder
from backoffice.sheets.models import DroppedFile
from backoffice.site import Badge, SitePage

_SHOWN = 200
_State = DroppedFile.State
BADGES = {
    _State.SEEN: "rest",
    _State.TAKING: "move",
    _State.TAKEN: "move",
    _State.WAITING: "wait",
    _State.STARTED: "done",
    _State.REPEATED: "rest",
    _State.REFUSED: "fail",
}


class DropsPage(SitePage):
    """What came, newest first."""

    path, name = "imports/folders/", "import_drops"
    title = gettext_lazy("Watched folders")
    subtitle = gettext_lazy("Files that other systems drop, and what became of each.")
    permission = "sheets.view_importjob"
    template_name = "sheets/drops.html"

    def context(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        """Return the folders and the newest files."""
        rows = DroppedFile.objects.select_related("import_job")[:_SHOWN]
        return {
            "folders": _folders(),
            "rows": [
                {
                    "drop": row,
                    "badge": Badge(BADGES[_State(row.state)], row.get_state_display()),  # type: ignore[arg-type]
                    "url": reverse(f"{self.site.name}:import", args=[row.import_job.public_id])
                    if row.import_job
                    else "",
                }
                for row in rows
            ],
        }


def _folders() -> list[Folder]:
    try:
        return list(folders.configured().values())
    except ValueError:
        return []
