"""fhirstarter taking Observations into a dict: no authentication, nothing on a disk, nothing matched or labelled.

Run by the Python of its own environment: ``python fhirstarter_app.py PORT``. It judges resources by R4B.
"""

from __future__ import annotations

import os
import sys
from uuid import uuid4

os.environ["FHIR_SEQUENCE"] = "R4B"

import uvicorn
from fhir.resources.R4B.observation import Observation
from fhirstarter import FHIRProvider, FHIRStarter, InteractionContext

provider = FHIRProvider()
held: dict[str, Observation] = {}


@provider.create(Observation)
async def create(context: InteractionContext, resource: Observation) -> str:
    """Keep it in memory under a new id."""
    name = str(uuid4())
    held[name] = resource
    return name


app = FHIRStarter()
app.add_providers(provider)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), loop="asyncio", access_log=False, log_level="warning")
