"""FHIR R4 (4.0.1), exactly: what may stand where, as data (`table`), and a check of parsed JSON (`validate`).

It exists because no Python library knows R4: `fhir.resources` ships R4B and R5, does not check required bindings and
stages its errors; and because loading models takes longer than reading a message.
"""
