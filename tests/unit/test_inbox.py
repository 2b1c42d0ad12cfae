"""Topic files: what is read from the good ones, and the one clear message that each bad one gets."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.domain.topic import Mode, Source, Topic
from pipeline.inbox import FoundFile, Reading, TopicDefaults, read, scan, topic_inputs

PROJECT = Path(__file__).parents[2]
DEFAULTS = TopicDefaults()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "input").mkdir()
    return tmp_path


def put(project: Path, name: str, content: str | bytes) -> FoundFile:
    path = project / "input" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return next(found for found in scan(project / "input", project).files if found.path == path)


def reading(project: Path, name: str, content: str | bytes) -> Reading:
    return read(put(project, name, content), defaults=DEFAULTS)


def only(found: Reading) -> Topic:
    assert [str(error) for error in found.refused] == []
    (topic,) = found.topics
    return topic


# -- what good files say ---------------------------------------------------------------------------------------


def test_a_markdown_file_is_one_topic_with_its_notes(project: Path) -> None:
    topic = only(
        reading(
            project,
            "sky.md",
            "---\ntitle: Why the sky is blue\nlanguage: pt_br\nvoice: pt_BR-faber-medium\nstyle: story\nwords: 300\n"
            "seed: 7\ntags: [sky, light]\ndate: 2026-03-21\n---\n- One fact.\n- Another.\n",
        )
    )

    assert topic == Topic(
        title="Why the sky is blue",
        source=Source("input/sky.md", 1),
        notes="- One fact.\n- Another.",
        language="pt-BR",
        voice="pt_BR-faber-medium",
        style="story",
        words=300,
        seed=7,
        tags=("sky", "light"),
        date=date(2026, 3, 21),
        note_lines=(11, 12),
    )


@pytest.mark.parametrize(
    ("name", "content", "title", "notes"),
    [
        ("a.md", "---\ntitle: From the front\n---\n# A heading\nx", "From the front", "# A heading\nx"),
        ("a.md", "# From the heading #\n\nx\n", "From the heading", "x"),
        ("a.md", "x\n\n# Further down\ny", "Further down", "x\n\n# Further down\ny"),
        ("a.md", "```\n# code\n```\n# After the code\n", "After the code", "```\n# code\n```\n# After the code"),
        ("a.md", "# Learning C#\n", "Learning C#", ""),
        ("01-why-the-sky_is-blue.md", "x", "Why the sky is blue", "x"),
        ("Ünder water.md", "x", "Ünder water", "x"),
        ("2001-a-space-odyssey.md", "x", "2001 a space odyssey", "x"),
        ("a.md", "# T\n<!-- not\nspoken --> x", "T", " x"),
        ("a.md", "# T\n<!-- never closed", "T", "<!-- never closed"),
        ("a.md", "\ufeff---\r\ntitle: T\r\n---\r\nx\r\ny\r\n", "T", "x\ny"),
        ("a.md", "\n---\ntitle: T\n---\nx", "T", "x"),
        ("a.md", "---\n---\n# T", "T", ""),
    ],
)
def test_a_markdown_title_is_the_fields_then_the_headings_then_the_names(
    project: Path, name: str, content: str, title: str, notes: str
) -> None:
    topic = only(reading(project, name, content))

    assert (topic.title, topic.notes) == (title, notes)


def test_a_text_file_has_a_topic_a_line(project: Path) -> None:
    found = reading(project, "ideas.txt", "# ideas\r\nOne\r\n\r\n  Two  \nC# in a day")

    assert [(topic.title, topic.source.line) for topic in found.topics] == [("One", 2), ("Two", 4), ("C# in a day", 5)]


ROWS = {
    "a.csv": 'title,minutes,tags,notes\nOne,2,"x, y","- a\n- b"\nTwo,,,\n',
    "b.csv": '\ufeffTitle;Minutes;Tags;Notes\r\nOne;2;x, y;"- a\r\n- b"\r\n;;;\r\nTwo;;;;;\r\n',
    "c.csv": 'sep=\t\ntitle\tminutes\ttags\tnotes\nOne\t2\tx; y\t"- a\n- b"\nTwo\t\t\t\n',
    "d.jsonl": '{"title": "One", "minutes": 2.0, "tags": ["x", "y"], "notes": ["a", "b"]}\n\n{"title": "Two"}\n',
    "e.yaml": "- title: One\n  minutes: 2\n  tags: [x, y]\n  notes:\n    - a\n    - b\n- title: Two\n  words: ~\n",
    "f.yml": "title: One\nminutes: '2'\ntags: x,y\nnotes: |\n  - a\n  - b\n---\ntitle: Two\n",
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_say_the_same_in_every_format(project: Path, name: str) -> None:
    found = reading(project, name, ROWS[name])

    assert found.refused == ()
    one, two = found.topics
    assert (one.title, one.words, one.seconds, one.notes) == ("One", 310, 120.0, "- a\n- b")
    assert one.tags == ("x", "y")
    assert (two.title, two.words, two.tags, two.notes) == ("Two", 150, (), "")
    assert two.source.line > one.source.line


@pytest.mark.parametrize(
    ("yaml", "title"),
    [
        ("1984", "1984"),
        ("No", "No"),
        ("2026-01-02", "2026-01-02"),
        ("1_000", "1_000"),
        ("0o17", "0o17"),
        ("1e3", "1e3"),
        ("'~ of the sea'", "~ of the sea"),
        ("12:30:45", "12:30:45"),
        (">\n  Two\n  lines", "Two lines"),
    ],
)
def test_yaml_texts_mean_what_they_look_like(project: Path, yaml: str, title: str) -> None:
    assert only(reading(project, "a.yaml", f"title: {yaml}\n")).title == title


def test_minutes_may_be_asked_of_a_text_that_is_read(project: Path) -> None:
    topic = only(reading(project, "a.md", "---\nmode: read\nminutes: 0.5\n---\nFour words are here."))

    assert (topic.seconds, topic.words) == (30.0, 4)


def test_minutes_in_the_settings_are_for_topics_that_ask_for_nothing(project: Path) -> None:
    defaults = TopicDefaults(minutes=2)
    texts = {"a.txt": "Title", "b.yaml": "title: T\nwords: 80\n", "c.md": "---\nmode: read\n---\nText."}
    for name, text in texts.items():
        (project / "input" / name).write_text(text)
    topics = [only(read(found, defaults=defaults)) for found in scan(project / "input", project).files]

    assert [topic.seconds for topic in topics] == [120.0, None, None]
    assert [topic.words for topic in topics] == [310, 80, 1]


def test_each_line_of_the_notes_knows_its_line_in_the_file(project: Path) -> None:
    text = "---\ntitle: T\n---\n<!-- for\nme -->\n\n- one  \n\n\n\n- two\n- two\n"
    topic = only(reading(project, "a.md", text))
    lines = text.split("\n")

    assert topic.notes == "- one\n\n- two\n- two"
    assert [lines[line - 1].rstrip() for line in topic.note_lines] == topic.notes.split("\n")
    assert topic.note_lines[-1] == 12


def test_a_text_to_be_read_counts_its_own_words(project: Path) -> None:
    topic = only(reading(project, "a.jsonl", '{"title": "T", "mode": "read", "text": "Four words are here."}'))

    assert (topic.mode, topic.notes, topic.words) == (Mode.READ, "Four words are here.", 4)


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("Cafe\u0301", "Café"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\u202eright to left\u202c", "right to left"),
        ("non\u00a0breaking\u202fblanks", "non breaking blanks"),
        ("tab\tand  blanks", "tab and blanks"),
        ("soft\u00adhyphen", "softhyphen"),
        ("family \U0001f468\u200d\U0001f469\u200d\U0001f467", "family \U0001f468\u200d\U0001f469\u200d\U0001f467"),
    ],
)
def test_characters_without_a_shape_are_dropped(project: Path, written: str, read_as: str) -> None:
    assert only(reading(project, "a.txt", written)).title == read_as


@pytest.mark.parametrize(
    ("written", "canonical"),
    [("EN", "en"), ("pt_br", "pt-BR"), ("zh-hans-cn", "zh-Hans-CN"), ("eng", "en"), ("es-419", "es-419"), ("iw", "he")],
)
def test_languages_are_canonical(project: Path, written: str, canonical: str) -> None:
    assert only(reading(project, "a.yaml", f"title: T\nlanguage: {written}\n")).language == canonical


def test_the_settings_fill_what_a_topic_leaves_out(project: Path) -> None:
    found = put(project, "a.txt", "T")
    topic = only(read(found, defaults=TopicDefaults(language="de", style="story", words=99)))

    assert (topic.language, topic.style, topic.words) == ("de", "story", 99)


def test_the_samples_are_good_topics_and_show_the_formats() -> None:
    found = scan(PROJECT / "input", PROJECT)
    readings = [read(file, defaults=DEFAULTS) for file in found.files if file.path.stem in SAMPLES]
    topics = [topic for one in readings for topic in one.topics]

    assert len(readings) == len(SAMPLES)
    assert [str(error) for one in readings for error in one.refused] == []
    assert {Path(topic.source.path).suffix for topic in topics} == {".md", ".txt", ".csv", ".yaml"}
    assert {topic.mode for topic in topics} == {Mode.READ, Mode.WRITE}
    assert all(80 <= topic.words <= 150 for topic in topics)


SAMPLES = {"why-the-sky-is-blue", "the-dawn-chorus", "ideas", "everyday-science", "night-sky"}


def test_digests_see_all_of_a_topic_but_where_it_came_from(project: Path) -> None:
    topic = only(reading(project, "a.md", "---\ntags: [x]\ndate: 2026-01-02\n---\n# T\nn"))
    moved = replace(topic, source=Source("input/b.md", 9))
    inputs = topic_inputs(topic)

    assert topic_inputs(moved) == inputs
    assert set(inputs) == set(Topic.__dataclass_fields__) - {"source", "note_lines"}
    for change in ({"title": "U"}, {"notes": ""}, {"voice": "v"}, {"mode": Mode.READ}, {"date": None}, {"tags": ()}):
        assert topic_inputs(replace(topic, **change)) != inputs


# -- what is wrong with the bad ones ---------------------------------------------------------------------------

FIELDS = "The fields are title, notes, text, language, voice, style, words, minutes, mode, seed, tags, date."
AS_UTF8 = "Save it as UTF-8 in your editor."
EXAMPLE_YAML = "Write a list of topics, each beginning with - title: …"
EXAMPLE_JSON = 'Write it like this: {"title": "Why the sky is blue", "words": 120}'
UNCLOSED = "Close the quotation mark; a text that holds one goes into quotes of the other kind."
QUOTE = "Put the text in quotes if it holds : or # or begins with a sign."
SPREADSHEET = "Save the sheet as CSV again, with every cell that holds the separator or a quote in quotes."
HEADER = "Make the first line name the columns, such as: title,notes,words"

BAD: dict[str, tuple[str, str | bytes, str]] = {
    "empty": ("a.md", "", ":1: the file is empty. Write a title into it, or remove it."),
    "blank": ("a.txt", " \n\t\n", ":1: nothing but blanks and signs. Write a title into it, or remove it."),
    "zero width": ("a.md", "\u200b\u200b\n", ":1: nothing but blanks and signs. Write a title into it, or remove it."),
    "Latin-1": (
        "a.txt",
        "One\nCaf\xe9".encode("latin-1"),
        f":2: not UTF-8 (byte 0xE9); perhaps Latin-1 or Windows-1252. {AS_UTF8}",
    ),
    "Latin-1 behind a byte order mark": (
        "a.txt",
        b"\xef\xbb\xbfOne\n\xe9",
        f":2: not UTF-8 (byte 0xE9); perhaps Latin-1 or Windows-1252. {AS_UTF8}",
    ),
    "UTF-16": ("a.txt", "Moon".encode("utf-16"), f":1: UTF-16 text. {AS_UTF8}"),
    "UTF-16 without a mark": ("a.txt", "Moon".encode("utf-16-le"), f":1: UTF-16 text. {AS_UTF8}"),
    "a picture": ("a.txt", b"\x89PNG\r\n\x1a\n", ":1: a PNG picture, not text. Save its text as .md or .txt (UTF-8)."),
    "an office document": (
        "a.md",
        b"PK\x03\x04x",
        ":1: a ZIP archive or an office document, not text. Save its text as .md or .txt (UTF-8).",
    ),
    "NUL": (
        "a.md",
        "# A title\n\nNotes \0 here",
        ":3: a NUL byte: this is not text. Save its text as .md or .txt (UTF-8).",
    ),
    "too large": (
        "a.md",
        b"x" * 1_100_000,
        ": 1.0 MiB, and a topic file has at most 1.0 MiB. Split it, or raise max_topic_bytes in the settings.",
    ),
    "control character": (
        "a.md",
        "# T\n\nRed \x1b[31m",
        ":3: notes: the control character U+001B. Remove it; your editor can show invisible characters.",
    ),
    "lost letter": (
        "a.txt",
        "Caf\ufffd",
        ":1: title: the character U+FFFD: a letter was lost in a conversion. Write the letter anew.",
    ),
    "half a character": (
        "a.jsonl",
        '{"title": "\\ud800"}',
        ":1: title: half a character U+D800. Remove it; your editor can show invisible characters.",
    ),
    "long title": (
        "a.txt",
        "x" * 201,
        ":1: title: 201 characters, and a title has at most 200. Shorten it; the rest belongs in notes (.md).",
    ),
    "long notes": (
        "a.md",
        "# T\n" + "x" * 100_001,
        ":1: notes: 100,001 characters, and notes have at most 100,000. Split it into several topics.",
    ),
    "no letters": ("a.txt", "One\n!!!", ":2: title: no letter or digit in it. Write what the episode is about."),
    "no title": ("a.jsonl", '{"notes": "x"}', ":1: there is no title. Give the topic a title."),
    "unknown field": ("a.md", "---\ntitle: T\nvoise: x\n---\n", ":3: no such field: voise. Did you mean voice?"),
    "length": ("a.yaml", "title: T\nlength: 3\n", ":2: no such field: length. Did you mean words or minutes?"),
    "far field": ("a.yaml", "title: T\nzzz q: 3\n", f":2: no such field: 'zzz q'. {FIELDS}"),
    "open front matter": (
        "a.md",
        "---\ntitle: T\n",
        ":1: the front matter is not closed. Write a line --- below its last field.",
    ),
    "broken front matter": (
        "a.md",
        "---\ntitle: T\nstyle: a: b\n---\n",
        f":3: not YAML: mapping values are not allowed in this context. {QUOTE}",
    ),
    "front matter of prose": (
        "a.md",
        "---\nonce upon a time\n---\n",
        ":2: the front matter does not name its fields. Write lines such as title: …",
    ),
    "TOML front matter": (
        "a.md",
        "+++\ntitle = 'T'\n+++\n",
        ":1: front matter in TOML (+++). Write it as YAML, between --- lines.",
    ),
    "notes twice": (
        "a.md",
        "---\ntitle: T\nnotes: x\n---\ny",
        ":3: notes in the front matter and below it. Keep one of them.",
    ),
    "duplicate key": (
        "a.yaml",
        "title: T\nwords: 50\nwords: 60\n",
        ":3: the field 'words' stands twice. Remove one of them.",
    ),
    "alias bomb": (
        "a.yaml",
        "a: &a [x, x]\nb: &b [*a, *a]\ntitle: *b\n",
        f":1: YAML anchors (&) and aliases (*) are not used here. {QUOTE}",
    ),
    "YAML tag": (
        "a.yaml",
        "title: !!python/object/apply:os.system [ls]\n",
        f":1: YAML tags (!) are not used here. {QUOTE}",
    ),
    "deep YAML": ("a.yaml", "title: T\nnotes: " + "[x, " * 200_000, f":2: nested too deeply. {EXAMPLE_YAML}"),
    "nested fields": (
        "a.yaml",
        "title: T\nnotes:\n  a: b\n",
        f":3: notes: a text or a list is wanted, not fields within fields. {QUOTE}",
    ),
    "YAML prose": ("a.yaml", "just a text\n", f":1: a text where topics should be. {EXAMPLE_YAML}"),
    "unclosed YAML text": (
        "a.yaml",
        "title: 'T\nwords: 50\n",
        f":1: not YAML: found unexpected end of stream. {UNCLOSED}",
    ),
    "English": (
        "a.yaml",
        "title: T\nlanguage: english\n",
        ":2: language: no such language: 'english'. Did you mean en?",
    ),
    "no language": (
        "a.yaml",
        "title: T\nlanguage: xx\n",
        ":2: language: no such language: 'xx'. Write it as en, en-US or pt-BR.",
    ),
    "UK": ("a.yaml", "title: T\nlanguage: en-UK\n", ":2: language: no such region in 'en-UK'. Did you mean en-GB?"),
    "voice as a path": (
        "a.yaml",
        "title: T\nvoice: ../etc/passwd\n",
        ":2: voice: '../etc/passwd' is no voice's name. Write it like en_US-joe-medium; see: pipeline voices",
    ),
    "style as a path": (
        "a.yaml",
        "title: T\nstyle: ../secret\n",
        ":2: style: '../secret' is no style's name. Name a file of config/prompts/, without .md.",
    ),
    "style with its ending": (
        "a.yaml",
        "title: T\nstyle: story.md\n",
        ":2: style: 'story.md' is no style's name. Did you mean story?",
    ),
    "words in words": (
        "a.yaml",
        "title: T\nwords: many\n",
        ":2: words: 'many' is not a number. Write a whole number, such as 150.",
    ),
    "half a word": (
        "a.yaml",
        "title: T\nwords: 99.5\n",
        ":2: words: '99.5' is not a whole number. Write a whole number, such as 150.",
    ),
    "too few words": (
        "a.yaml",
        "title: T\nwords: 3\n",
        ":2: words: a script has 20 to 10,000 words, not 3. At 155 words a minute that is 0.13 to 64 minutes.",
    ),
    "NaN minutes": (
        "a.jsonl",
        '{"title": "T", "minutes": NaN}',
        ":1: minutes: 'NaN' is not a number. Write a number, such as 1.5.",
    ),
    "words and minutes": (
        "a.yaml",
        "title: T\nwords: 50\nminutes: 1\n",
        ":3: both words and minutes. Keep one of them.",
    ),
    "words of a text": (
        "a.md",
        "---\nmode: read\nwords: 50\n---\nText.",
        ":3: words says nothing with mode: read, where the text is read as it is. Remove words.",
    ),
    "mode": ("a.yaml", "title: T\nmode: raed\n", ":2: mode: 'raed' is no mode. Did you mean read?"),
    "nothing to read": (
        "a.md",
        "---\nmode: read\n---\n# T\n",
        ":2: mode is read, and there is no text to read. Write the text below.",
    ),
    "text without read": (
        "a.yaml",
        "title: T\ntext: x\n",
        ":2: text is for mode: read. Add mode: read, or call it notes.",
    ),
    "seed": ("a.yaml", "title: T\nseed: -1\n", ":2: seed: '-1' is no seed. Write a whole number from 0 to 2147483647."),
    "date": (
        "a.yaml",
        "title: T\ndate: 21/03/2026\n",
        ":2: date: '21/03/2026' is no date. Write year, month and day, like 2026-03-21.",
    ),
    "no such day": (
        "a.yaml",
        "title: T\ndate: 2026-02-30\n",
        ":2: date: '2026-02-30' is no date. Write year, month and day, like 2026-03-21.",
    ),
    "long tag": (
        "a.yaml",
        f"title: T\ntags: {'x' * 51}\n",
        ":2: tags: a tag of 51 characters. A tag has at most 50; put commas between tags.",
    ),
    "JSON": (
        "a.jsonl",
        '{"title": "One"}\n{"title": Two}',
        f":2: not JSON: Expecting value, at character 11. {EXAMPLE_JSON}",
    ),
    "JSON list": (
        "a.jsonl",
        '[{"title": "T"}]',
        ":1: a JSON list, not one object a line. Write one topic a line, without commas between them.",
    ),
    "JSON text": ("a.jsonl", '"T"', f":1: not a JSON object. {EXAMPLE_JSON}"),
    "JSON twice": (
        "a.jsonl",
        '{"title": "T", "title": "U"}',
        ":1: the field 'title' stands twice. Remove one of them.",
    ),
    "deep JSON": ("a.jsonl", '{"a":' * 100_000, f":1: nested too deeply. {EXAMPLE_JSON}"),
    "JSON in JSON": (
        "a.jsonl",
        '{"title": {"en": "T"}}',
        f":1: title: a text, a number or a list of texts is wanted here. {EXAMPLE_JSON}",
    ),
    "no header": ("a.csv", "Moon,100\nSun,200\n", f":1: the first line does not name the columns. {HEADER}"),
    "no title column": ("a.csv", "notes,words\nx,100\n", f":1: there is no column 'title'. {HEADER}"),
    "unknown column": ("a.csv", "title,lenguage\nx,en\n", ":1: no such field: lenguage. Did you mean language?"),
    "column twice": ("a.csv", "title,title\nx,y\n", ":1: the column 'title' stands twice. Remove one of them."),
    "long row": (
        "a.csv",
        "title,words\nOne,50\nTwo,60,70\n",
        ":3: 3 cells where the header has 2. Put a cell that holds the separator in quotes.",
    ),
    "short row": (
        "a.csv",
        "title,words\nOne\n",
        ":2: 1 cell where the header has 2. Put a cell that holds the separator in quotes.",
    ),
    "open quote": ("a.csv", 'title,words\n"One,50\nTwo,60\n', f":2: a quote is opened and not closed. {SPREADSHEET}"),
    "stray quote": ("a.csv", 'title,words\n"One" x,50\nTwo,60\n', f":2: the quotes do not match. {SPREADSHEET}"),
    "header alone": ("a.csv", "title,words\n", ":1: there is no topic in it. Write a topic into it, or remove it."),
    "title twice": (
        "a.txt",
        "Moon\nSun\nMoon\n",
        ":3: the title 'Moon' stands in line 1 already. Give each topic of a file its own title.",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_each_bad_file_gets_its_one_clear_message_and_the_good_one_beside_it_is_read(project: Path, case: str) -> None:
    name, content, message = BAD[case]
    put(project, "good.md", "# Good")
    put(project, name, content)

    readings = [read(found, defaults=DEFAULTS) for found in scan(project / "input", project).files]

    assert [str(error) for one in readings for error in one.refused] == [f"input/{name}{message}"]
    assert "Good" in [topic.title for one in readings for topic in one.topics]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", "title,words\nOne,50\nBad,x\nTwo,60\n"),
        ("a.csv", 'title,words\nOne,50\n"Bad,60\nTwo,60\n'),
        ("a.csv", 'title,words\nOne,50\n"Bad" x,60\nTwo,60\n'),
        ("a.jsonl", '{"title": "One"}\n{{\n{"title": "Two"}\n'),
        ("a.yaml", "- title: One\n- title: Bad\n  words: [1, [2]]\n- title: Two\n"),
        ("a.yaml", "- title: One\n- Bad\n- title: Two\n"),
        ("a.txt", "One\n***\nTwo\n"),
    ],
)
def test_a_bad_row_is_refused_and_the_rows_beside_it_live(project: Path, name: str, content: str) -> None:
    found = reading(project, name, content)

    assert [topic.title for topic in found.topics] == ["One", "Two"]
    assert len(found.refused) == 1


def test_a_row_is_told_of_all_its_faults(project: Path) -> None:
    found = reading(project, "a.yaml", "title: T\nseed: x\nmode: y\ncolour: z\n")

    assert [error.where for error in found.refused] == ["input/a.yaml:4", "input/a.yaml:3", "input/a.yaml:2"]


def test_a_file_saved_in_the_wrong_form_is_not_told_of_line_by_line(project: Path) -> None:
    found = reading(project, "a.jsonl", "prose\n" * 500)

    assert len(found.refused) == 51
    assert str(found.refused[-1]) == "input/a.jsonl:51: 450 more faults from here on. Mend the ones above first."


def test_more_rows_than_a_file_may_have_are_left_unread(project: Path) -> None:
    found = reading(project, "a.txt", "\n".join(f"Topic {number}" for number in range(10_002)))

    assert len(found.topics) == 10_000
    assert [str(error) for error in found.refused] == [
        "input/a.txt:10001: more than 10,000 topics in one file. Split it; the rest is not read."
    ]


@given(name=st.sampled_from(["a.md", "a.txt", "a.csv", "a.jsonl", "a.yaml"]), data=st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_no_bytes_whatever_are_a_crash(name: str, data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "input").mkdir()
        found = reading(project, name, data)

        assert found.topics or found.refused


YAML_LIKE = st.text(alphabet="ab: -\n[]{}&*!|>'\"#,?%~", max_size=60)


@given(name=st.sampled_from(["a.md", "a.csv", "a.jsonl", "a.yaml"]), text=YAML_LIKE)
@settings(max_examples=300, deadline=None)
def test_no_text_made_of_syntax_is_a_crash(name: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "input").mkdir()
        found = reading(project, name, f"---\n{text}\n---\nx" if name == "a.md" else f"title,notes\n{text}")

        assert found.topics or found.refused
        assert all(topic.title == topic.title.strip() != "" for topic in found.topics)


# -- what lies in the folder -----------------------------------------------------------------------------------


def refusals(project: Path) -> list[str]:
    return [str(error) for error in scan(project / "input", project).refused]


def test_folders_are_looked_into_and_names_are_in_order(project: Path) -> None:
    for name in ("b.md", "a/z.txt", "a/b/c.csv", "c.YAML"):
        put(project, "x.md", "x")
        (project / "input" / name).parent.mkdir(parents=True, exist_ok=True)
        (project / "input" / name).write_text("x")

    found = scan(project / "input", project)

    assert [file.name for file in found.files] == [
        "input/a/b/c.csv",
        "input/a/z.txt",
        "input/b.md",
        "input/c.YAML",
        "input/x.md",
    ]
    assert found.refused == ()


def test_a_signature_changes_with_the_file(project: Path) -> None:
    before = put(project, "a.md", "x")
    again = put(project, "b.md", "y")
    after = put(project, "a.md", "xy")

    assert before.signature != after.signature
    assert scan(project / "input", project).files[1].signature == again.signature


@pytest.mark.parametrize(
    "name",
    [
        ".DS_Store",
        "Thumbs.db",
        "desktop.ini",
        ".hidden.md",
        "~$report.docx",
        "a.md~",
        ".a.md.swp",
        "a.md.part",
        "a.tmp",
        ".gitkeep",
        "README.md",
        "readme",
        "#a.md#",
        "@eaDir/a.md",
        ".stfolder/x.md",
        "__MACOSX/a.md",
        ".part-12-ab",
    ],
)
def test_what_systems_and_editors_leave_behind_is_passed_over(project: Path, name: str) -> None:
    path = project / "input" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    found = scan(project / "input", project)

    assert (found.files, found.refused) == ((), ())


USE = "Use .md, .txt, .csv, .jsonl or .yaml, or move it out of the input folder."
PLAIN = "Only plain files are read. Put a copy of the text here, or move it away."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("picture.png", f"input/picture.png: .png is not a format for topics. {USE}"),
        ("moon", f"input/moon: a file without an ending. {USE}"),
        ("moon.docx", "input/moon.docx: .docx is not a format for topics. Save the text as .md or .txt (UTF-8)."),
        (
            "moon.json",
            "input/moon.json: .json is not a format for topics. Save it as .jsonl, one topic a line, or as .yaml.",
        ),
        (
            "a\u202egnp.md",
            "input/a\\u202egnp.md: the file's name holds bytes or characters that cannot be shown. Rename it.",
        ),
        ("a\nb.md", "input/a\\nb.md: the file's name holds bytes or characters that cannot be shown. Rename it."),
        (
            os.fsdecode(b"caf\xe9.md"),
            "input/caf\\udce9.md: the file's name holds bytes or characters that cannot be shown. Rename it.",
        ),
    ],
)
def test_files_of_other_kinds_are_refused_by_name(project: Path, name: str, message: str) -> None:
    put(project, "good.md", "x")
    (project / "input" / name).write_text("x")

    assert refusals(project) == [message]
    assert [found.name for found in scan(project / "input", project).files] == ["input/good.md"]


def test_links_are_never_followed(project: Path) -> None:
    (project / "secret.md").write_text("x")
    (project / "input" / "file.md").symlink_to(project / "secret.md")
    (project / "input" / "folder").symlink_to(project)
    (project / "input" / "loop.md").symlink_to(project / "input" / "loop.md")

    what = "a symbolic link, which is never followed"
    assert refusals(project) == [f"input/{name}: {what}. {PLAIN}" for name in ("file.md", "folder", "loop.md")]
    assert scan(project / "input", project).files == ()


def test_pipes_and_sockets_are_refused_and_nobody_waits_for_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(project / "input" / "pipe.md")
    monkeypatch.chdir(project / "input")  # the address of a socket has at most 108 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.md")

        assert refusals(project) == [
            f"input/pipe.md: a named pipe, not a topic. {PLAIN}",
            f"input/socket.md: a socket, not a topic. {PLAIN}",
        ]


def test_a_file_swapped_for_a_pipe_or_a_link_after_it_was_found_is_refused(project: Path) -> None:
    piped, linked, gone = (put(project, name, "# T") for name in ("a.md", "b.md", "c.md"))
    for found in (piped, linked, gone):
        found.path.unlink()
    os.mkfifo(piped.path)
    linked.path.symlink_to("/etc/passwd")

    said = [[str(error) for error in read(found, defaults=DEFAULTS).refused] for found in (piped, linked, gone)]

    assert said == [
        ["input/a.md: not a plain file. Put a plain file in its place."],
        ["input/b.md: it cannot be opened: Too many levels of symbolic links. Put a plain file in its place."],
        [],
    ]


def test_a_file_written_to_since_it_was_found_waits_for_the_next_run(project: Path) -> None:
    found = put(project, "a.md", "# T")
    found.path.write_text("# T and more")

    assert [str(error) for error in read(found, defaults=DEFAULTS).refused] == [
        "input/a.md: it was changed while it was being read. Run it again when it is finished."
    ]


def test_a_file_that_nobody_may_read_is_refused_by_name(project: Path) -> None:
    put(project, "a.md", "x").path.chmod(0)

    assert refusals(project) == ["input/a.md: nobody may read it (its mode has no r). Allow it: chmod u+r a.md"]


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Permissions bind everyone but root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_and_a_folder_that_this_user_may_not_read_are_refused_by_name() -> None:
    project = Path(tempfile.mkdtemp())  # not pytest's own, which lies in a folder that is root's alone
    try:
        project.chmod(0o755)
        (project / "input").mkdir(mode=0o755)
        found = put(project, "a.md", "x")
        found.path.chmod(0)
        (project / "input" / "closed").mkdir(mode=0)
        with as_somebody_else():
            said = [str(error) for error in read(found, defaults=DEFAULTS).refused]
            looked = refusals(project)
    finally:
        (project / "input" / "closed").chmod(0o700)
        shutil.rmtree(project)

    assert said == ["input/a.md: this user may not read it. Change its owner or mode: chmod u+r a.md"]
    assert "input/closed: this user may not look into the folder. Change its owner or mode." in looked


def test_a_missing_input_folder_and_a_file_in_its_place_are_told(tmp_path: Path) -> None:
    assert [str(error) for error in scan(tmp_path / "input", tmp_path).refused] == [
        "input: there is no such folder. Make it, and put topic files into it."
    ]
    (tmp_path / "input").write_text("x")
    assert [str(error) for error in scan(tmp_path / "input", tmp_path).refused] == [
        "input: not a folder. Move the file away, or choose another input_dir."
    ]


def test_a_tree_without_end_is_left(project: Path) -> None:
    folder = project / "input" / "/".join("abcdefghijk")
    folder.mkdir(parents=True)
    (folder / "a.md").write_text("x")

    assert refusals(project) == ["input/a/b/c/d/e/f/g/h/i: more than 8 folders deep. Move its topics further up."]


def test_names_that_differ_in_the_spelling_of_accents_alone_are_one_name(project: Path) -> None:
    put(project, "caf\u00e9.md", "x")
    (project / "input" / "cafe\u0301.md").write_text("y")
    found = scan(project / "input", project)

    assert [file.name for file in found.files] == ["input/café.md"]
    assert [error.where for error in found.refused] == ["input/café.md"]


def test_an_input_folder_outside_the_project_is_named_by_itself(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.md").write_text("x")

    assert [found.name for found in scan(tmp_path / "elsewhere", tmp_path / "project").files] == ["elsewhere/a.md"]
