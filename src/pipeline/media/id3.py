"""The tag at the head of an MP3: ID3v2.4 with the programme's names, notice, cover and chapters.

Written here because FFmpeg (8.1, `id3v2enc.c`) puts a comment into a private `TXXX` frame, where no player shows it;
the notice that the speech is made by a machine must be seen. Sources: id3.org, "ID3 tag version 2.4.0, native
frames" and "ID3v2 chapter frame addendum 1.0". Nothing in the tag depends on when it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.domain.timeline import Chapter

_UTF_8 = b"\x03"
_LATIN_1 = b"\x00"
_FRONT_COVER = b"\x03"
_NO_OFFSET = b"\xff\xff\xff\xff"
# The table of contents counts its entries in one byte.
_MOST_CHAPTERS_LISTED = 255
_TOP_LEVEL_AND_ORDERED = b"\x03"

# ID3 wants ISO 639-2; these are the languages that Piper has voices in, and their neighbours. For others ID3 has
# "XXX".
_LANGUAGES = """
ar:ara bg:bul bn:ben bs:bos ca:cat cs:ces cy:cym da:dan de:deu el:ell en:eng es:spa et:est eu:eus
fa:fas fi:fin fr:fra ga:gle gl:glg he:heb hi:hin hr:hrv hu:hun hy:hye id:ind is:isl it:ita ja:jpn
ka:kat kk:kaz ko:kor lb:ltz lt:lit lv:lav mk:mkd ml:mal mr:mar ms:msa mt:mlt nb:nob ne:nep nl:nld
nn:nno no:nor pl:pol pt:por ro:ron ru:rus sk:slk sl:slv sq:sqi sr:srp sv:swe sw:swa ta:tam te:tel
th:tha tr:tur uk:ukr ur:urd vi:vie zh:zho
"""
_ISO_639_2 = dict(pair.split(":") for pair in _LANGUAGES.split())


def tag(texts: Mapping[str, str], *, language: str, comment: str, chapters: Sequence[Chapter], cover: bytes) -> bytes:
    """The whole tag. `texts` maps text frames (`TIT2`) to what they say; an empty one is left out.

    `language` is BCP 47. `cover` is a PNG or JPEG, or empty; raises ValueError for anything else.
    """
    code = three_letters(language)
    frames = [_text(name, text) for name, text in texts.items() if text]
    frames.append(_text("TLAN", code))
    if comment:
        frames.append(_frame("COMM", _UTF_8 + code.encode() + b"\x00" + comment.encode()))
    frames += _chapters(chapters)
    if cover:
        frames.append(
            _frame("APIC", _LATIN_1 + picture_type(cover).encode() + b"\x00" + _FRONT_COVER + b"\x00" + cover)
        )
    body = b"".join(frames)
    return b"ID3\x04\x00\x00" + _syncsafe(len(body)) + body


def three_letters(language: str) -> str:
    """The ISO 639-2 code of a BCP 47 language: `por` of `pt-BR`; `XXX` where it is not known."""
    primary = language.split("-", 1)[0].lower()
    return primary if len(primary) == 3 else _ISO_639_2.get(primary, "XXX")


def picture_type(picture: bytes) -> str:
    """The MIME type of a PNG or JPEG, by its first bytes. Raises ValueError for anything else."""
    if picture.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if picture.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    raise ValueError("a cover is a PNG or a JPEG")


def _chapters(chapters: Sequence[Chapter]) -> list[bytes]:
    if not chapters:
        return []
    names = [f"ch{number}".encode() + b"\x00" for number in range(len(chapters))]
    listed = names[:_MOST_CHAPTERS_LISTED]
    contents = b"toc\x00" + _TOP_LEVEL_AND_ORDERED + bytes([len(listed)]) + b"".join(listed)
    return [
        _frame("CTOC", contents),
        *(
            _frame(
                "CHAP",
                name
                + _milliseconds(chapter.span.start)
                + _milliseconds(chapter.span.end)
                + _NO_OFFSET * 2
                + _text("TIT2", chapter.title),
            )
            for name, chapter in zip(names, chapters, strict=True)
        ),
    ]


def _text(name: str, text: str) -> bytes:
    return _frame(name, _UTF_8 + text.encode())


def _frame(name: str, content: bytes) -> bytes:
    return name.encode() + _syncsafe(len(content)) + b"\x00\x00" + content


def _milliseconds(seconds: float) -> bytes:
    return round(seconds * 1000).to_bytes(4, "big")


def _syncsafe(number: int) -> bytes:
    """28 bits in four bytes of seven, so that no player takes a size for the start of a sound frame."""
    return bytes((number >> shift) & 0x7F for shift in (21, 14, 7, 0))
