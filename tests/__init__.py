"""Tests, in the same tree as the code that they speak about."""
