"""A FastAPI handler that reads a workset from state and shows it, and nothing else.

python -m benchmarks.bare_handler STATE_ADDRESS PORT
"""

import asyncio
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict

from daylily_client import AsyncStateClient


async def serve(state_address: str, port: int) -> None:
    app = FastAPI()
    async with AsyncStateClient(state_address) as state:

        @app.get("/worksets/{workset_id}")
        async def get(workset_id: str) -> dict[str, Any]:
            answer = await state.get_workset(workset_id=workset_id)
            return MessageToDict(answer.workset, preserving_proto_field_name=True)

        config = uvicorn.Config(app, port=port, log_config=None, access_log=False, lifespan="off")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
