"""Whatever a topic, a model, an engine or a voice's name holds, the service's pages show it and run none of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from pipeline.domain.script import Script, Segment
from pipeline.errors import EngineRefused
from pipeline.ports import Speech, SpeechRequest
from pipeline.text import script_file
from tests.browser import chromium
from tests.browser.scene import staged
from tests.fakes.served import Served
from tests.fakes.voice import FakeVoice, identity
from tests.fakes.writer import FakeWriter

PAYLOADS = (
    "<script>window.pwned=1;alert(1)</script>",
    '"><img src=x onerror="window.pwned=1;alert(1)">',
    "'><svg onload=window.pwned=1;alert(1)>",
    "</textarea><script>window.pwned=1</script>",
    "</title></head><body onload=window.pwned=1>",
    '" onfocus="window.pwned=1" autofocus x="',
    "javascript:window.pwned=1//",
    '<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>',
    "</template><img src=x onerror=window.pwned=1>",
    "{{ self.__init__.__globals__ }}${window.pwned=1}",
)
CHANNELS = ("title", "notes", "error", "voice", "model's answer", "prompt")

HARM = """() => {
  const found = [];
  if (window.pwned !== undefined) found.push("it ran");
  for (const one of document.querySelectorAll("*")) {
    for (const { name, value } of one.attributes) {
      const leads = ["href", "src", "action"].includes(name) && /^\\s*javascript:/i.test(value);
      if (name.startsWith("on") || name === "srcdoc" || leads) found.push(one.outerHTML.slice(0, 200));
    }
    if (one.matches("iframe, svg, body body, img[src='x']")) found.push(one.outerHTML.slice(0, 200));
    const ours = (one.getAttribute("src") ?? "").startsWith("/assets/");
    if (one.matches("script") && !ours) found.push(one.outerHTML.slice(0, 200));
  }
  return found;
}"""


class Hostile(FakeVoice):
    """Refuses whoever says so, in the words that came with it; its voices are named after payloads."""

    def __init__(self) -> None:
        super().__init__([identity("a-voice"), *(identity(f"v {payload}") for payload in PAYLOADS)])

    def speak(self, request: SpeechRequest) -> Speech:
        shown = request.sentence.shown
        if shown.startswith("Refused"):
            payload = PAYLOADS[int(shown.removeprefix("Refused").strip(" ."))]
            raise EngineRefused(f"refused {payload}", where=f"where {payload}", hint=f"hint {payload}")
        return super().speak(request)


def as_a_model_could_write() -> bytes:
    """A script with every payload in its title, headings, sentences and prompts."""
    segments = tuple(
        Segment(f"Part {payload}", (f"It says {payload} there.",), f"a picture {payload}") for payload in PAYLOADS
    )
    return script_file.format(Script(f"Written {PAYLOADS[0]}", "en", segments)).encode()


def answer(_: object) -> str:
    """What the checks of scripts refuse, and tell of in their own words."""
    return json.dumps({"segments": [{"title": PAYLOADS[0], "narration": PAYLOADS[0], "picture_prompt": PAYLOADS[1]}]})


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """An episode whose script a hostile model wrote, and ten topics that fail with hostile errors."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    folder: Path = tmp_path_factory.mktemp("hostile")
    topics = [
        f"---\ntitle: {json.dumps(f'T{number} {payload}')}\nmode: read\n---\n\nRefused {number}.\n\nNotes {payload}\n"
        for number, payload in enumerate(PAYLOADS)
    ]
    read = "---\ntitle: Written\nmode: read\nvoice: a-voice\n---\n\nNothing yet.\n"
    asked = "---\ntitle: Asked of a model\nwords: 150\n---\n"
    with staged(folder, read, asked, *topics, voice=Hostile(), writer=FakeWriter(answer)) as at:
        yield at
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium.installed()
    if program is None:
        pytest.skip(f"no browser is installed: none of {', '.join(chromium.NAMES)}")
    with sync_playwright() as playwright:
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        one = playwright.chromium.launch(executable_path=program, args=sandbox)
        yield one
        one.close()


def test_sixty_injections_run_nothing(browser: Browser, stage: Served) -> None:
    assert len(PAYLOADS) * len(CHANNELS) >= 50
    told: list[str] = []
    page = browser.new_page()

    def dialog(one: Dialog) -> None:
        told.append(one.message)
        one.dismiss()

    page.on("dialog", dialog)
    page.on("console", lambda one: told.append(one.text) if "Security Policy" in one.text else None)
    page.goto(stage.address)
    # Brought up to date by what happens, not loaded anew.
    expect(page.locator(".row.failed")).to_have_count(len(PAYLOADS) + 1, timeout=40_000)
    expect(page.locator(".shelf li")).to_have_count(1, timeout=40_000)
    for payload in PAYLOADS:  # error, title, voice
        shown = page.inner_text("#works")
        assert f"refused {payload}" in shown
        assert f"hint {payload}" in shown
    assert harm(page) == []
    slugs = stage.service.house.board.slugs("failed")
    assert len(slugs) == len(PAYLOADS) + 1
    for path in ("/plan", "/engines", "/episodes", *(f"/episodes/{slug}" for slug in slugs)):
        page.goto(stage.address + path)
        assert harm(page) == [], path
    page.goto(f"{stage.address}/episodes/written")  # answer, prompt
    stage.service.house.desk.edit("written", as_a_model_could_write(), "*")
    expect(page.locator(".line:has(.w)")).to_have_count(len(PAYLOADS), timeout=40_000)
    assert all(f"It says {payload} there." in page.inner_text("#transcript") for payload in PAYLOADS)
    assert "a picture" in page.locator("textarea[name=script]").input_value()
    assert harm(page) == []
    for number in (1, 2):
        page.locator(f'.pen[data-number="{number}"]').dispatch_event("click")
        assert page.input_value(".edit textarea") == page.get_attribute(f'.pen[data-number="{number}"]', "data-text")
        page.click(".hear")
        expect(page.locator(".outcome")).not_to_be_empty()
        assert harm(page) == []
    # What a form could not take is shown again.
    for payload in PAYLOADS:
        fields = {"title": payload, "notes": payload, "voice": payload, "style": payload, "minutes": payload}
        page.set_content(refused(page, stage.address, fields))
        assert harm(page) == [], payload
    page.goto(f"{stage.address}/episodes/{'%3Cscript%3Ewindow.pwned=1%3C%2Fscript%3E'}")
    assert harm(page) == []
    assert told == []
    page.close()


def harm(page: Page) -> Any:
    return page.evaluate(HARM)


def refused(page: Page, address: str, fields: dict[str, str]) -> str:
    answered = page.request.post(f"{address}/topics", form=dict(fields), headers={"Accept": "text/html"})
    assert answered.status == 422
    return answered.text()


@pytest.mark.parametrize("payload", PAYLOADS[:3])
def test_harm_would_be_found(browser: Browser, payload: str) -> None:
    page = browser.new_page()
    page.on("dialog", lambda dialog: dialog.dismiss())
    page.set_content(f'<p title="x">{payload}</p>')
    assert harm(page) != []
    page.close()
