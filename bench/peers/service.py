"""The peers over HTTP: FastAPI, pydantic, two asyncpg inserts in one transaction; with PEER_MODEL=usual the usual stack, else no model.

PEER_FOLDER holds columns.json (name -> categories, or null for a number), dtypes.joblib and model.joblib; PEER_DATABASE, PEER_HOST and
PEER_USER say where PostgreSQL is."""

import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import asyncpg
import orjson
from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, create_model

FOLDER = Path(os.environ["PEER_FOLDER"])
HAS_MODEL = os.environ.get("PEER_MODEL") == "usual"
_DECISION = """INSERT INTO decision (id, created_at, reference, product, probability, outcome, inputs, reasons)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
_EVENT = "INSERT INTO event (id, recorded_at, action, decision_id, detail) VALUES ($1, $2, $3, $4, $5)"


class Strict(BaseModel):
    """Refuses fields it does not know, as ours does."""

    model_config = ConfigDict(extra="forbid")


class Applicant(Strict):
    """Who is scored."""

    reference: str


def _inputs() -> type[BaseModel]:
    columns = json.loads((FOLDER / "columns.json").read_text())
    return create_model("Inputs", __base__=Strict, **{
        name: (float | None if categories is None else Literal[tuple(categories)] | None, None) for name, categories in columns.items()
    })


class ScoreRequest(Strict):
    """What a client sends."""

    product: str
    applicant: Applicant
    inputs: _inputs()


def _loaded():
    if not HAS_MODEL:
        return None
    import joblib

    from bench.peers.usual_stack import UsualStack

    return UsualStack(FOLDER / "model.joblib", joblib.load(FOLDER / "dtypes.joblib"))


model = _loaded()
pool: asyncpg.Pool


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    global pool
    where = {"host": os.environ["PEER_HOST"], "user": os.environ["PEER_USER"], "database": os.environ["PEER_DATABASE"]}
    async with asyncpg.create_pool(**where) as pool:
        yield


def text(value: object) -> str:
    """As a jsonb column takes it."""
    return orjson.dumps(value).decode()


app = FastAPI(lifespan=_lifespan)


@app.post("/scores", status_code=201)
async def score(request: ScoreRequest) -> Response:
    """201 with the decision, once PostgreSQL has it."""
    inputs = request.inputs.model_dump()
    probability, reasons = (0.1, []) if model is None else model.score(inputs)
    outcome = "decline" if probability > 0.2 else "approve"
    decision_id, now = uuid.uuid4(), datetime.now(UTC)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            _DECISION, decision_id, now, request.applicant.reference, request.product, probability, outcome, text(inputs), text(reasons)
        )
        await connection.execute(_EVENT, uuid.uuid4(), now, "decision.made", decision_id, text({"outcome": outcome}))
    answer = {
        "id": decision_id, "product": request.product, "applicant": {"reference": request.applicant.reference}, "probability": probability,
        "outcome": outcome, "reasons": reasons, "created_at": now,
    }
    return Response(orjson.dumps(answer), status_code=201, media_type="application/json")
