"""Doors that are not HTTP."""
