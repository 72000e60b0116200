"""Rows that run both ways: what a pack's maps mean. The language is `docs/packs.md`."""
