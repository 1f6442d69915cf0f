"""Rows of imports and exports."""

from backoffice.sheets.models.clear_exports import ClearExport
from backoffice.sheets.models.drops import DroppedFile
from backoffice.sheets.models.export_jobs import ExportJob
from backoffice.sheets.models.heads import ImportHead
from backoffice.sheets.models.imports import ImportJob, ImportProblem, stored_name
from backoffice.sheets.models.kept import KeptBlock, KeptChart, KeptJoin, KeptPairs, KeptSheet
from backoffice.sheets.models.profiles import ImportProfile
from backoffice.sheets.models.staging import ImportLane, ImportSpan, StagedPart, Status
from backoffice.sheets.models.undos import Undo, UndoLeft

__all__ = [
    "ClearExport",
    "DroppedFile",
    "ExportJob",
    "ImportHead",
    "ImportJob",
    "ImportLane",
    "ImportProblem",
    "ImportProfile",
    "ImportSpan",
    "KeptBlock",
    "KeptChart",
    "KeptJoin",
    "KeptPairs",
    "KeptSheet",
    "StagedPart",
    "Status",
    "Undo",
    "UndoLeft",
    "stored_name",
]
