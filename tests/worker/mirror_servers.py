"""Servers that keep to the part of MLflow's and trackio's API that mirrors use, as MLflow 3.17 and trackio
0.43 answered it. `benchmarks.mirroring` tells the real ones the same."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Refusal(Exception):
    def __init__(self, code: int, body: dict[str, Any]):
        super().__init__(code)
        self.code, self.body = code, body


class Tracker:
    """`headers` are those of the last call; while `down` is set, every call is answered with it."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.headers: dict[str, str] = {}
        self.down: Refusal | None = None

    def answer(self, path: str, asked: dict[str, list[str]], body: dict[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


class Mlflow(Tracker):
    """Points are a set, as in MLflow's database; a setting cannot be changed."""

    def __init__(self) -> None:
        super().__init__()
        self.experiments: list[str] = []
        self.runs: dict[str, dict[str, Any]] = {}

    def answer(self, path: str, asked: dict[str, list[str]], body: dict[str, Any]) -> dict[str, Any]:
        what = path.removeprefix("/api/2.0/mlflow/")
        if what == "experiments/get-by-name":
            (name,) = asked["experiment_name"]
            if name not in self.experiments:
                raise Refusal(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "No Experiment"})
            return {"experiment": {"experiment_id": str(self.experiments.index(name) + 1), "name": name}}
        if what == "experiments/create":
            self.experiments.append(body["name"])
            return {"experiment_id": str(len(self.experiments))}
        if what == "runs/search":
            key = re.fullmatch(r"tags\.`tunesmith\.key` = '(\w+)'", body["filter"])
            assert key
            mine = [run for run in self.runs.values() if run["tags"]["tunesmith.key"] == key[1]]
            return {"runs": [{"info": {"run_id": run["id"]}} for run in mine]} if mine else {}
        if what == "runs/create":
            made = {"id": f"{len(self.runs):032x}", "points": set(), "params": {}, "status": "RUNNING"}
            made |= {"name": body["run_name"], "tags": pairs(body["tags"]), "began": body["start_time"]}
            self.runs[made["id"]] = made
            return {"run": {"info": {"run_id": made["id"]}}}
        run = self.runs[body["run_id"]]
        if what == "runs/update":
            run |= {"status": body["status"], "ended": body.get("end_time"), "name": body["run_name"]}
            return {}
        assert what == "runs/log-batch"
        self.log(run, body)
        return {}

    def log(self, run: dict[str, Any], body: dict[str, Any]) -> None:
        points, params = body.get("metrics", []), pairs(body.get("params", []))
        assert len(points) <= 1000
        assert len(params) <= 100
        for name in [*params, *(point["key"] for point in points)]:
            if not re.fullmatch(r"[\w\-. :/]+", name, re.ASCII):
                raise Refusal(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": f"Bad name {name}."})
        if any(run["params"].get(name, value) != value for name, value in params.items()):
            raise Refusal(400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "Params cannot change."})
        run["params"] |= params
        run["points"] |= {(p["key"], p["step"], float(p["value"]), p["timestamp"]) for p in points}


class Trackio(Tracker):
    """A row whose name is known already is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, Any]] = {}
        self.configs: dict[str, dict[str, Any]] = {}

    def answer(self, path: str, asked: dict[str, list[str]], body: dict[str, Any]) -> dict[str, Any]:
        assert path == "/api/bulk_log"
        if self.headers.get("X-Trackio-Write-Token") != "token":
            raise Refusal(400, {"error": "A write_token is required to log metrics."})
        for entry in body["kwargs"]["logs"]:
            self.rows.setdefault(entry["log_id"], entry)
            if entry.get("config"):
                self.configs[entry["run_id"]] = entry["config"]
        return {"data": None}


def pairs(listed: list[dict[str, str]]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in listed}


@contextmanager
def served(tracker: Tracker, port: int = 0) -> Iterator[str]:
    """Its address, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            tracker.calls.append(parts.path)
            tracker.headers = dict(self.headers)
            try:
                if tracker.down:
                    raise tracker.down
                code, found = 200, tracker.answer(parts.path, parse_qs(parts.query), body)
            except Refusal as problem:
                code, found = problem.code, problem.body
            said = json.dumps(found).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
