"""The assistant's server, spoken to by the protocol's own client over standard input and output."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters

from pipeline.service.assistant import make_server
from pipeline.service.house import house_of
from tests.fakes.served import project_of, served

ROOT = Path(__file__).parents[2]
LOG = {"title": "The log", "mode": "read", "notes": "The wind rose before six. Nobody slept on board."}


def talk(command: list[str], scene: Callable[[Client], Awaitable[None]]) -> None:
    async def session() -> None:
        parameters = StdioServerParameters(
            command=sys.executable, args=command, cwd=ROOT, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        )
        async with Client(parameters, read_timeout_seconds=60) as client:
            await scene(client)

    asyncio.run(asyncio.wait_for(session(), 120))


def talk_within(project: Path, scene: Callable[[Client], Awaitable[None]]) -> None:
    """The same without a process of its own."""
    house = house_of(project_of(project))

    async def session() -> None:
        async with Client(make_server(house), read_timeout_seconds=60) as client:
            await scene(client)

    try:
        asyncio.run(asyncio.wait_for(session(), 120))
    finally:
        house.maker.stop()
        assert house.maker.wait(30)


def faked(project: Path) -> list[str]:
    return ["-m", "tests.fakes.assisted", str(project)]


async def called(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    told: dict[str, Any] = answer.structured_content
    return told


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    return "".join(getattr(part, "text", "") for part in answer.content)


def test_an_assistant_makes_an_episode_edits_a_sentence_and_reads_what_was_made(tmp_path: Path) -> None:
    heard: list[str | None] = []

    async def told(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async def scene(client: Client) -> None:
        asked = await called(client, "make_episode", topic=LOG, key="one")
        assert (asked["topic"], asked["episodes"], asked["made_by"]) == ("the-log.md", ["the-log"], "this")
        assert (await called(client, "make_episode", topic=LOG, key="one"))["again"]
        waited = await client.call_tool("wait_for_episode", {"episode": "the-log"}, progress_callback=told)
        assert waited.structured_content is not None
        assert waited.structured_content["state"] == "finished"
        assert heard

        script = await called(client, "read_script", episode="the-log")
        assert [one["text"] for one in script["sentences"]] == ["The wind rose before six.", "Nobody slept on board."]
        edit = {"episode": "the-log", "number": 2, "text": "Everybody slept on board.", "etag": script["etag"]}
        await called(client, "edit_sentence", **edit)
        assert "changed since it was read" in await refused(client, "edit_sentence", **edit)
        captions = ""
        while "Everybody slept" not in captions:
            await called(client, "wait_for_episode", episode="the-log", seconds=1)
            (part,) = (await client.read_resource("episode://the-log/captions")).contents
            captions = getattr(part, "text", "")
        listed = await called(client, "list_episodes")
        assert [(one["episode"], one["state"]) for one in listed["items"]] == [("the-log", "finished")]
        assert (await called(client, "list_voices"))["items"][0]["name"] == "en_US-fake-medium"
        assert (await called(client, "how_things_stand"))["waiting"] == 0

    talk(faked(tmp_path), scene)
    assert (tmp_path / "output" / "the-log" / "manifest.json").is_file()


def test_beside_a_service_the_making_is_the_services(tmp_path: Path) -> None:
    with served(project_of(tmp_path)) as at:

        async def scene(client: Client) -> None:
            while (await called(client, "how_things_stand"))["made_by"] != "another":
                pass
            assert (await called(client, "make_episode", topic=LOG))["made_by"] == "another"
            while (await called(client, "wait_for_episode", episode="the-log", seconds=1))["state"] != "finished":
                pass
            script = await called(client, "read_script", episode="the-log")
            edit = {"episode": "the-log", "number": 1, "text": "The wind fell.", "etag": script["etag"]}
            await called(client, "edit_sentence", **edit)
            captions = ""
            while "The wind fell" not in captions:
                await called(client, "episode_status", episode="the-log")
                (part,) = (await client.read_resource("episode://the-log/captions")).contents
                captions = getattr(part, "text", "")

        talk_within(tmp_path, scene)
        assert at.service.house.maker.alive


def test_a_mistake_is_told_so_that_a_model_can_mend_it(tmp_path: Path) -> None:
    async def scene(client: Client) -> None:
        assert "language" in await refused(client, "make_episode", topic={**LOG, "language": "zz-nonsense-q"})
        assert "there is no episode 'moon'" in await refused(client, "episode_status", episode="moon")
        assert "there is no topic file '../x'" in await refused(client, "delete_topic", name="../x")
        assert "title" in await refused(client, "make_episode", topic={"notes": "x"})
        for wrong in ("episode://moon/manifest", "episode://..%2Fconfig/manifest", "episode://moon/passwd"):
            with pytest.raises(MCPError):
                await client.read_resource(wrong)

    talk_within(tmp_path, scene)
    assert list((tmp_path / "input").iterdir()) == []


def test_the_real_command_says_what_each_tool_does_and_what_it_may_change(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    shutil.copytree(ROOT / "config", tmp_path / "config")

    async def scene(client: Client) -> None:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations is not None}
        assert hints.keys() == tools.keys()
        assert all(tool.description and tool.output_schema for tool in tools.values())
        reading = {name for name, hint in hints.items() if hint.read_only_hint}
        assert {"list_episodes", "plan", "read_script", "list_voices"} <= reading
        assert {name for name, hint in hints.items() if hint.destructive_hint} == {
            "delete_topic", "edit_sentence", "replace_script",
        }  # fmt: skip
        assert not {"make_episode", "retry_episode"} & reading
        templates = (await client.list_resource_templates()).resource_templates
        assert {one.uri_template for one in templates} == {
            f"episode://{{episode}}/{name}" for name in ("transcript", "manifest", "script", "captions")
        }
        made = await called(client, "make_episode", topic=LOG)
        assert (made["topic"], made["made_by"]) == ("the-log.md", "nobody")
        assert [one["name"] for one in (await called(client, "list_topics"))["items"]] == ["the-log.md"]

    talk(["-m", "pipeline", "mcp", "--leave-making", "--project", str(tmp_path)], scene)
    assert (tmp_path / "input" / "the-log.md").is_file()
