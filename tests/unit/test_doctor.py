"""What doctor concludes from what it sees: of the machine, its bounds, its clock, and of answers from strangers."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest

from pipeline.doctor import engines, machine, places, who
from pipeline.doctor.clock import clock, drift
from pipeline.doctor.finding import Finding
from pipeline.doctor.limits import Limits, limits_of, memory_of
from pipeline.doctor.mounts import takes_both_cases_for_one
from pipeline.doctor.proxies import masked, proxies, way_to
from pipeline.doctor.rounds import Check, made
from pipeline.doctor.servers import certificate_finding, model_finding, ollama_version
from pipeline.errors import EngineRefused, SettingsError
from pipeline.net.session import Answer
from pipeline.net.tls import Certificate
from pipeline.ports import VoiceIdentity

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def files(root: Path, content: Mapping[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


OURS = "It is a fault in the pipeline; please report it."


# -- side by side --------------------------------------------------------------------------------------------------


def test_a_check_that_hangs_holds_up_no_other_and_what_it_found_is_told() -> None:
    called_off = Event()

    def hangs(late: Event) -> Iterator[Finding]:
        yield Finding("slow", "ok", "began")
        late.wait()
        called_off.set()

    findings = made(
        [
            Check("slow", 0.05, hangs, "Look at it."),
            Check("quick", 30, lambda _: [Finding("quick", "ok", "done")]),
        ]
    )

    assert findings == [
        Finding("slow", "ok", "began"),
        Finding("slow", "bad", "not finished after 0.05 s", "Look at it."),
        Finding("quick", "ok", "done"),
    ]
    assert called_off.wait(10), "what is late is told to stop"


@pytest.mark.parametrize(
    ("error", "found", "todo"),
    [
        (EngineRefused("no", where="Piper", hint="Ask again."), ["Piper: no"], "Ask again."),
        (SettingsError(["one", "two"], hint="Mend them."), ["one", "two"], "Mend them."),
        (
            KeyError("x"),
            ["this check itself failed: KeyError: 'x'"],
            "It is a fault in the pipeline; please report it.",
        ),
    ],
)
def test_a_check_that_fails_is_a_finding_and_the_others_are_made(error: Exception, found: list[str], todo: str) -> None:
    def fails(_: Event) -> Iterator[Finding]:
        yield Finding("first", "ok", "before")
        raise error

    findings = made([Check("broken", 30, fails), Check("next", 30, lambda _: [Finding("next", "ok", "done")])])

    assert findings[0].found == "before"
    assert findings[1:-1] == [Finding("broken", "bad", one, todo) for one in found]
    assert findings[-1].check == "next"


# -- the machine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        pytest.param({}, Limits(None, None), id="no cgroups"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n",
             "sys/fs/cgroup/memory.max": "2147483648\n"},
            Limits(1.5, 2 << 30), id="version 2, seen from inside",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/user/app\n", "sys/fs/cgroup/user/cpu.max": "400000 100000",
             "sys/fs/cgroup/user/app/cpu.max": "800000 100000", "sys/fs/cgroup/user/memory.max": "1000",
             "sys/fs/cgroup/user/app/memory.max": "2000"},
            Limits(4.0, 1000), id="version 2: the group above is tighter",
        ),
        pytest.param(
            {"proc/self/cgroup": "5:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
             "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
             "sys/fs/cgroup/memory/memory.limit_in_bytes": "536870912"},
            Limits(0.5, 512 << 20), id="version 1, its own group mounted at the top",
        ),
        pytest.param(
            {"proc/self/cgroup": "5:cpu:/\n4:memory:/\n", "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
             "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
             "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712"},
            Limits(None, None), id="version 1 without bounds",
        ),
        pytest.param(
            {"proc/self/cgroup": "nonsense\n0::/../../etc\n", "sys/fs/cgroup/cpu.max": "x y",
             "sys/fs/cgroup/memory.max": ""},
            Limits(None, None), id="unreadable",
        ),
    ],
)  # fmt: skip
def test_bounds_are_read_from_cgroups_of_both_versions(content: dict[str, str], limits: Limits, tmp_path: Path) -> None:
    assert limits_of(files(tmp_path, content)) == limits


def test_memory_is_what_the_system_says(tmp_path: Path) -> None:
    assert memory_of(tmp_path) is None
    files(tmp_path, {"proc/meminfo": "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    600 kB\n"})
    assert memory_of(tmp_path) == (1_024_000, 614_400)


def test_a_small_container_on_a_large_machine_is_told_of(tmp_path: Path) -> None:
    files(
        tmp_path,
        {
            "proc/meminfo": "MemTotal: 64000000 kB\nMemAvailable: 60000000 kB\n",
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": str(500_000_000),
            "sys/fs/cgroup/cpu.max": "200000 100000",
            ".dockerenv": "",
        },
    )
    findings = {one.check: one for one in machine.machine({"HOME": str(tmp_path)}, 8, tmp_path)}

    assert "in a container (Docker)" in findings["machine"].found
    assert findings["cores"].state == findings["memory"].state == "note"
    assert "no more than 2 of them" in findings["cores"].found
    assert "CORES=2" in findings["cores"].todo
    assert "at most 0.5 GB for this container" in findings["memory"].found


@pytest.mark.parametrize(
    ("environ", "file", "kind"),
    [
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, ".dockerenv", "Kubernetes"),
        ({}, "run/.containerenv", "Podman"),
        ({}, ".dockerenv", "Docker"),
        ({"container": "lxc"}, "", "lxc"),
        ({}, "", ""),
    ],
)
def test_the_kind_of_container_is_seen(environ: dict[str, str], file: str, kind: str, tmp_path: Path) -> None:
    if file:
        files(tmp_path, {file: ""})
    assert machine.container(environ, tmp_path) == kind


def test_a_cache_is_tried_by_writing(tmp_path: Path) -> None:
    def cache(**environ: str) -> Finding:
        return next(one for one in machine.machine(environ, 0, tmp_path) if one.check == "cache")

    (tmp_path / "file").write_text("")
    assert cache(HOME=str(tmp_path)).state == "ok"
    assert cache(XDG_CACHE_HOME=str(tmp_path / "made/later")).state == "ok"
    assert cache() == Finding(
        "cache", "note", "neither HOME nor XDG_CACHE_HOME is set", "Set HOME to a writable folder."
    )
    assert "Set XDG_CACHE_HOME" in cache(XDG_CACHE_HOME=str(tmp_path / "file")).todo
    assert not list(tmp_path.glob("*/later")), "nothing is made"


SMI = "#!/bin/sh\n{}\n"


@pytest.mark.parametrize(
    ("script", "dev", "draws", "state", "found"),
    [
        ("echo 'NVIDIA H200, 143771 MiB, 570.1'", "", True, "ok", "NVIDIA H200, 143771 MiB, driver 570.1"),
        ("echo 'No devices were found'; exit 6", "", False, "note", "nvidia-smi finds none: No devices were found"),
        ("exit 9", "", False, "note", "nvidia-smi finds none: status 9"),
        ("", "dev/nvidia0", False, "ok", "an NVIDIA device is here"),
        ("", "dev/kfd", False, "ok", "an AMD device is here"),
        ("", "dev/nvidiactl", False, "ok", "none to be seen here"),
        ("", "", True, "note", "none to be seen here"),
    ],
)
def test_a_gpu_is_found_by_its_program_or_its_device(
    script: str, dev: str, draws: bool, state: str, found: str, tmp_path: Path
) -> None:
    path = tmp_path / "bin"
    path.mkdir()
    if script:
        (path / "nvidia-smi").write_text(SMI.format(script))
        (path / "nvidia-smi").chmod(0o755)
    if dev:
        files(tmp_path, {dev: ""})
    finding = machine.gpu(draws=draws, path=str(path), root=tmp_path)
    assert (finding.state, found in finding.found) == (state, True), finding
    assert bool(finding.todo) == (state != "ok")


# -- folders -------------------------------------------------------------------------------------------------------


def test_folders_are_tried_by_using_them(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")

    assert places.readable("input", tmp_path).state == "ok"
    assert "2 entries" in places.readable("input", tmp_path).found
    assert places.readable("input", tmp_path / "none").todo == f"Make it: mkdir -p {tmp_path / 'none'}"
    assert places.readable("input", tmp_path / "file").state == "bad"
    assert places.writable("output", tmp_path / "there").state == "ok"
    assert "is made when it is needed" in places.writable("output", tmp_path / "a/b").found
    assert places.writable("output", tmp_path / "file/b").state == "bad"
    assert not list((tmp_path / "there").iterdir()), "nothing is left behind"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_told_with_owner_and_mode(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    finding = places.writable("output", folder)
    assert finding.bad
    assert "mode dr-x------" in finding.found
    assert "chown" in finding.todo


def test_a_file_system_that_takes_no_writing_is_told() -> None:
    # The kernel's own table of processes takes no files, not even root's.
    finding = places.writable("output", Path("/proc/self"))
    assert finding.bad
    assert "cannot write there" in finding.found


def test_room_is_told_once_for_each_disk(tmp_path: Path) -> None:
    assert [one.check for one in places.room([tmp_path / "a", tmp_path / "b/c"])] == ["disk"]


@pytest.mark.parametrize(
    ("kind", "state", "found"),
    [
        ("ext4", "ok", ", on ext4"),
        ("nfs4", "note", ", on nfs4, over a network"),
        ("fuse.sshfs", "note", ", on fuse.sshfs, over a network"),
        ("tmpfs", "note", ", on tmpfs, in memory"),
        ("overlay", "ok", ", on overlay"),
    ],
)
def test_the_kind_of_file_system_is_told_with_what_it_means(kind: str, state: str, found: str, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    shown = str(folder).replace(" ", "\\040")
    mounts = (
        "1 0 8:1 / / rw - overlay overlay rw",
        f"2 1 8:2 / {shown} rw,relatime - xfs /dev/hidden rw",
        f"3 2 8:3 / {shown} rw,relatime shared:7 - {kind} server:/share rw",
        f"4 1 8:4 / {shown}-not rw - vfat /dev/other rw",
        "not such a line",
    )
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("\n".join(mounts))

    (finding,) = places.room([folder], tmp_path)

    assert finding.found.endswith(f"{folder}{found}")
    if shutil.disk_usage(folder).free > 2e9:
        assert (finding.state, bool(finding.todo)) == (state, state == "note")


def test_a_container_s_own_layer_is_no_place_to_keep_things(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("1 0 0:40 / / rw - overlay overlay rw")
    (finding,) = places.room([tmp_path], tmp_path)
    assert finding.state == "note"
    assert "mount a folder or a volume" in finding.todo


def test_without_the_kernel_s_table_nothing_is_said_of_the_kind(tmp_path: Path) -> None:
    (finding,) = places.room([tmp_path], tmp_path)
    assert finding.found.endswith(str(tmp_path))


def test_letters_of_both_cases_are_told_apart_here(tmp_path: Path) -> None:
    folder = tmp_path / "Folder"
    folder.mkdir()
    assert not takes_both_cases_for_one(folder)
    # A link stands in for a disk that does not tell them apart.
    (tmp_path / "fOLDER").symlink_to(folder)
    assert takes_both_cases_for_one(folder)


# -- the clock -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "drifts", "state", "found"),
    [
        (NOW, {}, "ok", "no server was reached"),
        (NOW, {"Ollama": timedelta(seconds=3)}, "ok", "as Ollama says"),
        (NOW, {"Ollama": timedelta(minutes=-5), "Piper": timedelta()}, "ok", "as Ollama and Piper say"),
        (NOW, {"Ollama": timedelta(minutes=6), "Piper": timedelta()}, "note", "6 min after the clock of Ollama"),
        (NOW, {"Ollama": -timedelta(hours=5)}, "note", "5 h before the clock of Ollama"),
        (NOW, {"Ollama": timedelta(days=400)}, "note", "400 days after"),
        (datetime(1970, 1, 1, tzinfo=UTC), {"Ollama": timedelta()}, "bad", "1970-01-01 00:00:00 UTC, which cannot be"),
    ],
)
def test_a_clock_that_is_wrong_is_noticed(now: datetime, drifts: dict[str, timedelta], state: str, found: str) -> None:
    finding = clock(now, drifts)
    assert (finding.state, found in finding.found) == (state, True), finding


@pytest.mark.parametrize(
    ("header", "by"),
    [
        ("Mon, 01 Jun 2026 11:59:00 GMT", timedelta(minutes=1)),
        ("Mon, 01 Jun 2026 14:00:00 +0200", timedelta()),
        ("", None),
        ("yesterday", None),
    ],
)
def test_drift_is_read_off_a_date_header(header: str, by: timedelta | None) -> None:
    assert drift(header, NOW) == by


# -- proxies -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "url", "proxy", "why"),
    [
        ({}, "http://ai.example.com", "", "no proxy is set for it"),
        ({"HTTP_PROXY": "http://p:1"}, "http://ai.example.com", "http://p:1", "HTTP_PROXY"),
        ({"HTTP_PROXY": "http://p:1"}, "https://ai.example.com", "", "no proxy is set for it"),
        ({"https_proxy": "http://u:s@p:1", "HTTPS_PROXY": "http://q:1"}, "https://ai.example.com", "http://***@p:1",
         "https_proxy"),
        ({"ALL_PROXY": "http://p:1"}, "https://ai.example.com", "http://p:1", "ALL_PROXY"),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": ".example.com"}, "http://ai.example.com", "",
         "NO_PROXY keeps HTTP_PROXY away from it"),
        ({"HTTP_PROXY": "http://p:1"}, "http://ollama:11434", "",
         "HTTP_PROXY is not for this machine, nor for names without a dot"),
        ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1:11434", "",
         "HTTP_PROXY is not for this machine, nor for names without a dot"),
    ],
)  # fmt: skip
def test_the_variable_that_sends_a_call_through_a_proxy_is_named(
    environ: dict[str, str], url: str, proxy: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(environ, monkeypatch)
    way = way_to(url, environ)
    assert (way.proxy, way.why) == (proxy, why)


def only(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("environ", "state", "found"),
    [
        ({}, "ok", "none is set"),
        ({"NO_PROXY": "x"}, "ok", "none is set"),
        ({"HTTPS_PROXY": "http://u:secret@p:1", "NO_PROXY": "x"}, "ok", "HTTPS_PROXY=http://***@p:1, NO_PROXY=x"),
        ({"HTTP_PROXY": "p:3128"}, "ok", "HTTP_PROXY=p:3128"),
        ({"HTTP_PROXY": "http://p:99999"}, "bad", "HTTP_PROXY cannot be used as an address"),
    ],
)
def test_the_proxies_in_force_are_shown_without_their_passwords(
    environ: dict[str, str], state: str, found: str
) -> None:
    finding = proxies(environ)
    assert (finding.state, found in finding.found) == (state, True), finding


def test_no_password_is_shown_however_it_is_written() -> None:
    for address in ("http://u:secret@p:1", "u:secret@p:1", "http://u:sec@ret@p:1", "http://u:s/ecret@p:1"):
        assert "sec" not in masked(address)
        assert masked(address).endswith("***@p:1")


# -- who answers ---------------------------------------------------------------------------------------------------


def page(text: str, *, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "text/html; charset=utf-8", **named}, text.encode())


def data(value: object, *, status: int = 200) -> Answer:
    return Answer(status, {"content-type": "application/json"}, json.dumps(value).encode())


LOST = page("<html><title>404 Not Found</title></html>", status=404, server="nginx")


@pytest.mark.parametrize(
    ("answers", "is_it"),
    [
        ({"/api/version": data({"version": "0.33.0"})}, "Ollama 0.33.0"),
        ({"/": Answer(200, {}, b"Ollama is running"), "/api/version": LOST}, "Ollama"),
        ({"/health": data({"status": "ok", "service": "media-pipeline speech"})}, "this project's own speech server"),
        ({"/health": data({"service": "media-pipeline images"})}, "this project's own image server"),
        ({"/": page("<html>piper"), "/voices": data({"en": {"audio": {"sample_rate": 22050}}})}, "a Piper server"),
        ({"/sdapi/v1/options": data({"sd_model_checkpoint": "x"})}, "a Stable Diffusion server"),
        ({"/v1/models": data({"object": "list", "data": []})}, "a server of OpenAI's shape"),
        ({"/": page("<title>A &amp; B</title><form>Please sign in</form>")}, "a page to sign in at (“A & B”)"),
        ({"/": page("<title>Router</title>")}, "a page in HTML (“Router”)"),
        ({"/": page("<h1>Access denied", status=403, server="squid/5.7")}, "a proxy on the way (status 403)"),
        ({"/": page("x", status=407)}, "a proxy on the way (status 407)"),
        ({"/": LOST, "/health": LOST}, "another program (nginx): it answers /: 404, /health: 404"),
        ({"/": data({}), "/voices": data({}), "/api/version": data({})}, "another program: it answers /: 200"),
        ({}, "another program: it answers nothing"),
    ],
)  # fmt: skip
def test_who_answers_is_recognised(answers: dict[str, Answer], is_it: str) -> None:
    assert who.who(answers).startswith(is_it)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"x"', b"{", b'{"version": 3}', b"\xff\xfe"])
def test_nonsense_is_nobody(body: bytes) -> None:
    answer = Answer(200, {}, body)
    assert who.ollama_version(answer) == ""
    assert who.own_service(answer) == ("", "")
    assert who.who(dict.fromkeys(who.CLUES, answer)).startswith("another program")


@pytest.mark.parametrize(
    ("version", "state"),
    [("0.4.9", "bad"), ("0.5.0", "note"), ("0.8.10", "note"), ("0.9.0", "ok"), ("0.33.0-rc2", "ok"), ("1.0", "ok"),
     ("0.0.0", "ok"), ("built by hand", "ok")],
)  # fmt: skip
def test_an_old_ollama_is_told_to_be_updated(version: str, state: str) -> None:
    finding = ollama_version(version)
    assert (finding.state, bool(finding.todo)) == (state, state != "ok")


def test_a_model_that_is_not_there_is_named_with_what_to_do() -> None:
    assert model_finding("llama3", ["llama3:latest"], needed=True).state == "ok"
    missing = model_finding("gemma3:4b", ["gemma3:12b", "qwen3:8b"], needed=True)
    assert missing.bad
    assert missing.found == "gemma3:4b is not there; it has gemma3:12b, qwen3:8b"
    assert "ollama pull gemma3:4b" in missing.todo
    assert "did you mean gemma3:12b" in missing.todo
    assert model_finding("gemma3:4b", [], needed=False).state == "note"


@pytest.mark.parametrize(
    ("expires", "verified", "state", "said"),
    [
        ("Jun 30 12:00:00 2026 GMT", True, "ok", "until Jun 30 12:00:00 2026 GMT"),
        ("Jun 11 12:00:00 2026 GMT", True, "note", "in 10 days"),
        ("Jun 30 12:00:00 2026 GMT", False, "note", "not checked"),
        ("", True, "ok", "subject CN=a, issuer CN=b"),
    ],
)
def test_a_certificate_that_ends_soon_is_noticed(expires: str, verified: bool, state: str, said: str) -> None:
    shown = Certificate("CN=a", "CN=b", ("a",), expires)
    finding = certificate_finding("x", shown, NOW, verified=verified)
    assert (finding.state, said in finding.found) == (state, True), finding


def voice(name: str, licence: str = "CC0") -> VoiceIdentity:
    return VoiceIdentity(
        engine="piper", name=name, digest="0" * 64, language="en-US", sample_rate=22050, speakers=(), licence=licence
    )


def test_voices_are_told_with_their_licences_and_what_is_missing() -> None:
    installed = {"en_US-joe-medium": voice("en_US-joe-medium"), "x": voice("x", "")}
    assert engines.voices(installed, ("en_US-joe-medium#3",)) == Finding(
        "voices", "ok", "en_US-joe-medium (en-US, CC0); x (en-US, licence not told)"
    )
    missing = engines.voices(installed, ("en_US-jo-medium",))
    assert missing.bad
    assert "pipeline voices get en_US-jo-medium" in missing.todo
    assert "did you mean en_US-joe-medium?" in missing.todo
    assert engines.voices({}, ()).bad
