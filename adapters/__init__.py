"""Translates: an agency's bytes to a canonical FHIR R4 bundle and back. Pure; knows formats and the vocabulary only."""

from adapters import compiled

compiled.use()
