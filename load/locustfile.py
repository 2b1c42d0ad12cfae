"""What callers do all day: programs at the API, files that are dropped into the watched folder, sentences to be spoken.

Locust runs this in a process of its own (`python -m load`), because it exchanges the standard library's waiting for its
own. Where to is told by the environment: LOAD_INPUT is the watched folder, LOAD_SPEECH the speech service's address.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

from locust import HttpUser, between, task

NUMBERS = itertools.count()
INPUT = Path(os.environ["LOAD_INPUT"])
SPEECH = os.environ["LOAD_SPEECH"]
# An episode that is not there by then counts as failed.
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.25


class Program(HttpUser):
    """Looks, lists and asks, as a page or a script does."""

    weight = 6
    wait_time = between(0.1, 0.5)

    @task(6)
    def look(self) -> None:
        self.client.get("/api/v1/maker")
        self.client.get("/api/v1/topics?limit=50", name="/api/v1/topics")
        self.client.get("/api/v1/episodes?limit=50", name="/api/v1/episodes")

    @task(2)
    def plan(self) -> None:
        self.client.get("/api/v1/plan?limit=20", name="/api/v1/plan")

    @task(2)
    def scrape(self) -> None:
        self.client.get("/health")
        self.client.get("/metrics")

    @task(1)
    def ask(self) -> None:
        title = f"Asked {os.getpid()} {next(NUMBERS)}"
        topic = {"title": title, "mode": "read", "notes": f"{title} tells of the weather."}
        self.client.post("/api/v1/topics", json=topic, headers={"Idempotency-Key": title})


class Folder(HttpUser):
    """Drops a file, and waits for its episode."""

    fixed_count = 1
    wait_time = between(1, 2)

    @task
    def drop(self) -> None:
        name = f"dropped-{os.getpid()}-{next(NUMBERS)}"
        begun, failed = time.perf_counter(), None
        (INPUT / f"{name}.md").write_text(f"---\nmode: read\n---\n\nThe file {name} tells of the weather.\n")
        while True:
            time.sleep(LOOK_SECONDS)  # Locust has made it wait for others
            with self.client.get(f"/api/v1/episodes/{name}", name="/api/v1/episodes/…", catch_response=True) as answer:
                # Until the file has lain still for a moment there is no such episode.
                if answer.status_code in {200, 404}:
                    answer.success()
            state = answer.json().get("state") if answer.status_code == 200 else None
            if state == "finished":
                break
            if state == "failed" or time.perf_counter() - begun > PATIENCE_SECONDS:
                failed = TimeoutError(f"{name}: {state or 'not seen'} after {time.perf_counter() - begun:.0f} s")
                break
        self.environment.events.request.fire(
            request_type="FILE", name="dropped → finished", response_time=(time.perf_counter() - begun) * 1000,
            response_length=0, exception=failed, context={},
        )  # fmt: skip


class Listener(HttpUser):
    """Has sentences spoken."""

    weight = 1
    wait_time = between(0.5, 1)

    @task
    def speak(self) -> None:
        text = f"Item {next(NUMBERS)} was written down in the harbour before six."
        self.client.post(f"{SPEECH}/synthesize", json={"text": text}, name="speech service: /synthesize")
