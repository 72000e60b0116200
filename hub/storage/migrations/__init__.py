"""The schema's history. `tools/draft_migration.py` drafts the next step from a change of `tables.py`."""
