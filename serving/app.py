"""The gateway as an ASGI app: routes, one shape for every error, the chat page, probes and metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from data.errors import BadInput, DeskmateError, NotFound
from serving import chat_api, openai_api, ops_api
from serving.deployment import Deployment
from serving.limits import BodyLimit
from serving.openai_api import error_body

WEB = Path(__file__).resolve().parent.parent / "bot" / "web"
FILES = ("chat.css", "chat.js", "page.js", "reply.js", "icon.svg")
PAGES = {"/": "index.html", **{f"/{name}": name for name in FILES}}
SAFE = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def create_app(state: Deployment) -> FastAPI:
    app = FastAPI(title="Deskmate", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.deployment = state
    for routes in (openai_api.router, chat_api.router, ops_api.router):
        app.include_router(routes)
    app.add_exception_handler(DeskmateError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unplanned)
    app.add_middleware(BodyLimit, answer=_answer)
    if not state.keys.chat_needed:  # no key, so no other site may reach us through the customer's browser
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    _probes(app, state)
    _pages(app, state)
    return app


def _probes(app: FastAPI, state: Deployment) -> None:
    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_: Request) -> Response:
        ready = state.ready
        word = "ready" if ready else "draining" if state.draining else "the student is not up"
        return PlainTextResponse(f"{word}\n", status_code=200 if ready else 503)

    async def metrics(request: Request) -> Response:
        if state.keys.chat_needed:
            state.keys.check("ops", request.headers.get("authorization"))
        return Response(state.telemetry.page(), media_type="text/plain; version=0.0.4; charset=utf-8")

    for path, endpoint in {"/livez": livez, "/readyz": readyz, "/metrics": metrics}.items():
        app.add_route(path, endpoint, methods=["GET"])


def _pages(app: FastAPI, state: Deployment) -> None:
    async def page(request: Request) -> Response:
        return FileResponse(WEB / PAGES[request.url.path], headers=SAFE)

    async def desk(_: Request) -> Response:
        about = {
            "desk": state.config.desk.name,
            "about": state.config.desk.about,
            "key": state.keys.chat_needed,
        }
        return JSONResponse(about, headers=SAFE)

    for path in PAGES:
        app.add_route(path, page, methods=["GET"])
    app.add_route("/desk.json", desk, methods=["GET"])


def _answer(error: DeskmateError) -> JSONResponse:
    headers: dict[str, str] = {}
    if error.status in (429, 503):
        headers["retry-after"] = "2"
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse(error_body(error), status_code=error.status, headers=headers)


async def _ours(_: Request, error: Any) -> Response:
    return _answer(error)


async def _invalid(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "body")
    return _answer(BadInput(f"{where}: {first['msg']}" if where else str(first["msg"])))


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == 404:
        return _answer(NotFound(f"nothing at {request.url.path}; the chat page is at /, the API at /v1"))
    body = {"error": {"message": str(error.detail), "type": "invalid_request_error", "param": None, "code": None}}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


async def _unplanned(_: Request, error: Exception) -> Response:
    return _answer(DeskmateError("something went wrong here; it has been logged, please try again"))
