"""Starting and stopping: the port, the first start, signals, what a desk owner reads in the terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from data.errors import Busy, ConfigError, EngineError, NotFound
from data.workspace import Workspace
from serving.auth import is_loopback, open_keys
from serving.run import bind, serve
from tests.engine_server import Script
from tests.serving.desk import ScriptedLauncher, chunks, config, content, make_release

SERVE = """
import sys
from pathlib import Path
from data.workspace import Workspace
from serving.run import serve
from tests.engine_server import EngineServer
from tests.serving.desk import ScriptedLauncher, config
def server(port):
    found = EngineServer()
    found.port = int(port)
    return found
servers = dict(zip(("one", "teacher"), map(server, sys.argv[2:4])))
serve(Workspace(Path(sys.argv[1])), config(port=int(sys.argv[4])), launcher=ScriptedLauncher(**servers))
"""


def test_a_port_in_use_is_one_clear_line(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    make_release(Workspace(tmp_path), "one")
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Busy, match=f"port {port} on 127.0.0.1 is taken; .*serving.port={port + 1}"):
            serve(Workspace(tmp_path), config(port=port), launcher=launcher)
    with pytest.raises(ConfigError, match="cannot listen"):
        bind("203.0.113.1", 0)


def test_nothing_to_serve_and_nothing_that_loads(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    with pytest.raises(NotFound, match="deskmate release create"):
        serve(Workspace(tmp_path), config(port=0), launcher=launcher)
    make_release(Workspace(tmp_path), "one")
    launcher.broken.add("one")
    with pytest.raises(EngineError, match="bad magic"):
        serve(Workspace(tmp_path), config(port=0), launcher=launcher)


def test_sigterm_finishes_the_last_reply_and_takes_no_new_one(tmp_path: Path, launcher: ScriptedLauncher) -> None:
    words = " ".join(f"word{number}" for number in range(40))
    launcher.servers["one"].reply = lambda body: Script(words, delay=0.05 if body["max_tokens"] > 8 else 0)
    make_release(Workspace(tmp_path), "one")
    ports = [str(launcher.servers[name].port) for name in ("one", "teacher")]
    command = [sys.executable, "-c", SERVE, str(tmp_path), *ports, "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        said = [process.stdout.readline(), process.stdout.readline()]
        assert said[0].startswith("ops key (shown only this once): ")
        assert said[1].startswith("Deskmate is ready: http://127.0.0.1:"), process.stderr.read()
        url = said[1].split()[3]
        replies: list[httpx.Response] = []
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            body = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
            asking = threading.Thread(target=lambda: replies.append(client.post("/v1/chat/completions", json=body)))
            asking.start()
            while "deskmate_in_flight 1.0" not in client.get("/metrics").text:
                time.sleep(0.01)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            assert client.get("/readyz").status_code == 503
            assert client.get("/livez").status_code == 200
            refused = client.post("/v1/chat/completions", json=body)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
            asking.join(20)
        assert content(replies[0]) == words
        assert chunks(replies[0])[-1]["choices"][0]["finish_reason"] == "stop"
        assert process.wait(20) == 0
        assert '"event": "reply"' in process.stderr.read()


def test_keys_are_made_once_and_kept_hashed(tmp_path: Path) -> None:
    _, made = open_keys(tmp_path / "keys.json", chat_needed=True)
    again, none = open_keys(tmp_path / "keys.json", chat_needed=True)
    assert set(made) == {"ops", "chat"} and none == {}
    assert made["ops"] not in (tmp_path / "keys.json").read_text()
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0
    again.check("ops", f"Bearer {made['ops']}")
    again.check("chat", f"bearer {made['ops']}")
    again.check("chat", f"Bearer {made['chat']}")
    assert [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "desk.example")] == [
        True, True, True, False, False,
    ]  # fmt: skip
