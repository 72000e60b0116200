"""Tests of the consent engine."""
