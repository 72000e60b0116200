"""The hub's own dated policy data: who is offered what, and how long to try."""
