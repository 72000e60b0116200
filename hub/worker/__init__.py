"""Delivers: claims due stream heads, hands them to the line, and takes over what a dead process left behind."""

from hub.worker.work import Worker

__all__ = ["Worker"]
