"""Public samples against the packs: `make conformance SAMPLES=DIR`."""
