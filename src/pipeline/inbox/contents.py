"""From bytes on disk to text: is it a plain file, of bearable size, and UTF-8?"""

from __future__ import annotations

import os
import stat

from pipeline.inbox.rows import Fault
from pipeline.inbox.scanning import FoundFile

# How files begin that are often dropped under a text file's name.
_NOT_TEXT = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"ID3", "an MP3 file"),
    (b"RIFF", "a sound or video file"),
    (b"OggS", "an Ogg file"),
    (b"\x7fELF", "a program"),
)
_AS_UTF8 = "Save it as UTF-8 in your editor."
_AS_TEXT = "Save its text as .md or .txt (UTF-8)."


def text_of(found: FoundFile, *, max_bytes: int) -> str | Fault | None:
    """The file's text, without a byte order mark and with `\\n` at each line's end; None where it is gone.

    Never follows a link, never waits for a writer, never reads more than `max_bytes`.
    """
    data = _bytes_of(found, max_bytes)
    return _decode(data) if isinstance(data, bytes) else data


def _bytes_of(found: FoundFile, max_bytes: int) -> bytes | Fault | None:
    try:
        descriptor = os.open(found.location, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError:
        return Fault(0, "this user may not read it", f"Change its owner or mode: chmod u+r {found.path.name}")
    except OSError as error:
        return Fault(0, f"it cannot be opened: {error.strerror}", "Put a plain file in its place.")
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Fault(0, "not a plain file", "Put a plain file in its place.")
        if status.st_size > max_bytes:
            return Fault(
                0,
                f"{_size(status.st_size)}, and a topic file has at most {_size(max_bytes)}",
                "Split it, or raise max_topic_bytes in the settings.",
            )
        try:
            data = file.read(max_bytes + 1)
        except OSError as error:
            return Fault(0, f"it cannot be read: {error.strerror}", "Check the disk.")
        now = os.fstat(descriptor)
    if (now.st_size, now.st_mtime_ns, now.st_ino) != (found.signature[0], found.signature[1], found.signature[3]):
        return Fault(0, "it was changed while it was being read", "Run it again when it is finished.")
    return data


def _decode(data: bytes) -> str | Fault:
    for beginning, kind in _NOT_TEXT:
        if data.startswith(beginning):
            return Fault(1, f"{kind}, not text", _AS_TEXT)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return Fault(1, "UTF-16 text", _AS_UTF8)
    zero = data.find(b"\0")
    if zero >= 0:
        # Every other byte of UTF-16 is zero in Western text.
        if len(data) % 2 == 0 and data.count(b"\0") * 3 > len(data):
            return Fault(1, "UTF-16 text", _AS_UTF8)
        return Fault(data.count(b"\n", 0, zero) + 1, "a NUL byte: this is not text", _AS_TEXT)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # With a byte order mark the codec counts from behind it.
        offset = 3 if data.startswith(b"\xef\xbb\xbf") else 0
        line = data.count(b"\n", 0, error.start + offset) + 1
        byte = data[error.start + offset]
        return Fault(line, f"not UTF-8 (byte 0x{byte:02X}); perhaps Latin-1 or Windows-1252", _AS_UTF8)
    text = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    if not any(map(str.isalnum, text)):
        what = "nothing but blanks and signs" if text else "the file is empty"
        return Fault(1, what, "Write a title into it, or remove it.")
    return text


def _size(count: int) -> str:
    if count < 1024 * 1024:
        return f"{-(-count // 1024):,} KiB" if count >= 1024 else f"{count} bytes"
    return f"{count / (1024 * 1024):.1f} MiB"
