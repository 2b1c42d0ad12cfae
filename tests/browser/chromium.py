"""A headless Chromium, driven through its DevTools protocol over two pipes: nothing but the browser itself is needed.

Protocol: https://chromedevtools.github.io/devtools-protocol/. With --remote-debugging-pipe the browser reads commands
from file descriptor 3 and writes answers to 4, each a JSON object that ends with a NUL.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# More than the slowest answer has needed on two busy cores, by far.
_PATIENCE_SECONDS = 60.0

# The browser takes its pipes at fixed numbers; subprocess hands on descriptors only under their own.
_WITH_PIPES = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 13); os.dup2(w, 14); os.dup2(13, 3); \
os.dup2(14, 4); os.execv(sys.argv[3], sys.argv[3:])"


class BrowserFault(Exception):
    """The browser did not do what it was told."""


def installed() -> str | None:
    """Where the browser is, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with an empty profile; ended with the block."""
    program = installed()
    if program is None:
        raise BrowserFault("no Chromium is installed")
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()
    command = [
        program, "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run",
        "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
        "--hide-scrollbars", "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--force-color-profile=srgb",
        *(["--no-sandbox"] if os.geteuid() == 0 else []), "about:blank",
    ]  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-c", _WITH_PIPES, str(commands_out), str(answers_in), *command],
        pass_fds=(commands_out, answers_in),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands_out)
    os.close(answers_in)
    running = Browser(commands_in, answers_out)
    try:
        yield running
        running.tell("Browser.close")
        child.wait(_PATIENCE_SECONDS)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(commands_in)
        os.close(answers_out)


@dataclass
class Browser:
    """One running browser; `browser` begins and ends it."""

    commands: int
    answers: int
    events: list[dict[str, Any]] = field(default_factory=list)
    _unread: bytes = b""
    _number: int = 0

    def tell(self, method: str, session: str = "", **given: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what happens meanwhile is kept in `events`."""
        self._number += 1
        number = self._number
        message: dict[str, Any] = {"id": number, "method": method, "params": given}
        if session:
            message["sessionId"] = session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self.commands, data) :]
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            answer = self._next(deadline, method)
            if answer.get("id") != number:
                self.events.append(answer)
            elif "error" in answer:
                raise BrowserFault(f"{method}: {answer['error']}")
            else:
                result: dict[str, Any] = answer["result"]
                return result

    def tab(self, *, width: int = 1280, height: int = 900, dark: bool = False, scale: float = 1) -> Tab:
        """A new tab with a window of so many CSS pixels, for somebody who prefers light or dark, and no motion."""
        target = self.tell("Target.createTarget", url="about:blank")["targetId"]
        session = self.tell("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, session)
        for domain in ("Page", "Runtime", "Network", "Log"):
            tab.tell(f"{domain}.enable")
        tab.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        features = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        tab.tell(
            "Emulation.setEmulatedMedia", features=[{"name": name, "value": value} for name, value in features.items()]
        )
        return tab

    def wait_for(self, method: str, session: str, *, after: int) -> None:
        """Until there is such an event after the first `after` ones."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not any(
            event.get("method") == method and event.get("sessionId") == session for event in self.events[after:]
        ):
            self.events.append(self._next(deadline, method))

    def _next(self, deadline: float, waited_for: str) -> dict[str, Any]:
        while b"\0" not in self._unread:
            if not select.select([self.answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise BrowserFault(f"{waited_for}: no answer in {_PATIENCE_SECONDS:.0f} seconds")
            more = os.read(self.answers, 1 << 20)
            if not more:
                raise BrowserFault(f"{waited_for}: the browser has ended")
            self._unread += more
        message, _, self._unread = self._unread.partition(b"\0")
        told: dict[str, Any] = json.loads(message)
        return told


@dataclass
class Tab:
    """One page of it."""

    browser: Browser
    session: str

    def tell(self, method: str, **given: Any) -> dict[str, Any]:
        return self.browser.tell(method, self.session, **given)

    def open(self, address: str) -> None:
        """Go there, and wait until everything that the page is made of has been loaded."""
        before = len(self.browser.events)
        answer = self.tell("Page.navigate", url=address)
        if answer.get("errorText"):
            raise BrowserFault(f"{address}: {answer['errorText']}")
        self.browser.wait_for("Page.loadEventFired", self.session, after=before)

    def evaluate(self, script: str) -> Any:
        """The value of an expression; of what it promises, if it is a promise."""
        answer = self.tell(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in answer:
            raise BrowserFault(f"{script[:200]}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, key: str, code: int, *, text: str = "") -> None:
        """A key, by its name and its Windows virtual key code."""
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.tell("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        self.tell("Input.dispatchKeyEvent", type="keyUp", **about)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A PNG of the window, or of the whole page."""
        data = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        self.tell("Page.close")

    def happened(self, method: str) -> list[dict[str, Any]]:
        """The parameters of every event of this kind so far."""
        return [
            event["params"]
            for event in self.browser.events
            if event.get("method") == method and event.get("sessionId") == self.session
        ]
