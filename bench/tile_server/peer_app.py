"""Serves titiler at a port, for `peer`: python bench/tile_server/peer_app.py PORT."""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from titiler.core.errors import DEFAULT_STATUS_CODES, add_exception_handlers
from titiler.core.factory import TilerFactory

__all__ = ["main"]


def main() -> None:
    """Serves until it is ended."""
    app = FastAPI()
    app.include_router(TilerFactory().router)
    add_exception_handlers(app, DEFAULT_STATUS_CODES)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


if __name__ == "__main__":
    main()
