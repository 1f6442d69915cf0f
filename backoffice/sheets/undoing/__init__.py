"""Undoing an import: each row back to its version before, by the journal of what was written."""
