"""A small program on this machine for graders that ask others: an OpenAI-compatible judge whose behaviour is
its model's name, a reward function of Amazon's shape, and addresses that misbehave."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MARK = {
    "five": "Score: 5",
    "three": "I think so.\nScore: 3",
    "one": "1",
    "words": "It is fine.",
    "empty": " ",
}


class Server(ThreadingHTTPServer):
    """`seen` are the requests so far: path, headers, body."""

    daemon_threads = True
    request_queue_size = 128  # else a ninth caller waits a second to knock again

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Server
    wbufsize = 1 << 16  # head and body in one packet

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = self.server.seen
        seen.append((self.path, dict(self.headers), body))
        tries = sum(path == self.path for path, _, _ in seen)
        if self.path == "/v1/chat/completions":
            self.tell({"choices": [{"message": {"role": "assistant", "content": judge(body)}}]})
        elif self.path == "/score":
            self.tell([reward(sample) for sample in body])
        elif self.path == "/openai":
            self.tell({"scores": [right(s["sample"]["output_text"], s["item"]) for s in body["samples"]]})
        elif self.path == "/flaky" and tries % 3:
            self.tell({"error": "busy"}, 503)
        elif self.path == "/flaky":
            self.tell([reward(sample) for sample in body])
        else:
            self.misbehave(body)

    def misbehave(self, body: Any) -> None:
        match self.path:
            case "/moved":
                self.send_response(302)
                self.send_header("Location", f"{self.server.address}/score")
                self.end_headers()
            case "/slow":
                time.sleep(1)
                self.tell([reward(sample) for sample in body])
            case "/drip":
                self.send_response(200)
                self.end_headers()
                for _ in range(40):
                    time.sleep(0.05)
                    self.wfile.write(b" ")
                    self.wfile.flush()
            case "/huge":
                self.send_response(200)
                self.end_headers()
                for _ in range(20):
                    self.wfile.write(b" " * 2**20)
            case "/breaks_off":
                self.send_response(503)
                self.send_header("Content-Length", "100")
                self.end_headers()
                self.wfile.flush()
                time.sleep(1)
            case "/words":
                self.tell("text", raw=True)
            case "/few":
                self.tell([])
            case "/infinite":
                self.tell('[{"id": "0", "aggregate_reward_score": 1e999}]', raw=True)
            case "/nothing":
                self.tell([{"id": "0"}])
            case _:
                self.tell({"error": "forbidden"}, 403)

    def tell(self, answer: Any, status: int = 200, *, raw: bool = False) -> None:
        said = (answer if raw else json.dumps(answer)).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: Any) -> None: ...

    def handle(self) -> None:
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the grader had enough


def judge(body: dict[str, Any]) -> str:
    asked, model = body["messages"][-1]["content"], body["model"]
    if model == "exact":
        found = re.search(
            r"Reference(?: answer, where there is one)?:\s*(\S+?)\.?\s+Answer[^:]*:\s*(\S+)", asked
        )
        low, high = re.search(r"from (\S+?)(?: \(worst\))? to ([\d.-]*\d)", asked).groups()
        mark = high if found and found.group(1) == found.group(2) else low
        return json.dumps({"steps": [], "result": float(mark)}) if "JSON" in asked else f"Score: {mark}"
    if model == "always_a":
        return "Both are fine.\nBetter: A"
    if model == "longer":
        first, second = re.search(r"Answer A:\n(.*)\n\nAnswer B:\n(.*)\n\nReply", asked, re.DOTALL).groups()
        return "Better: A" if len(first) > len(second) else "Better: B"
    return MARK.get(model, model)


def right(text: str, row: dict[str, Any]) -> float:
    return float(text == row.get("reference_answer"))


def reward(sample: dict[str, Any]) -> dict[str, Any]:
    score = right(sample["messages"][-1]["content"], sample["metadata"])
    parts = [{"name": "accuracy", "value": score, "type": "Reward"}]
    return {"id": sample["id"], "aggregate_reward_score": score, "metrics_list": parts}
