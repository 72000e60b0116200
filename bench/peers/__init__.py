"""Peers that need a program of their own; each is run by the Python of its own environment."""
