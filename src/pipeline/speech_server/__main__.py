"""The command `pipeline-speech`: the speech server."""

from __future__ import annotations

import os
from collections.abc import Sequence
from threading import Event

from pipeline.engine_server import Program, answer, command
from pipeline.speech_server import settings as speech_settings
from pipeline.speech_server.settings import SpeechSettings

_PROGRAM = Program(
    "pipeline-speech",
    "Speak for whoever asks over HTTP.",
    extra="speech-server",
    modules=("fastapi", "uvicorn", "piper", "onnx", "onnxruntime"),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until told to stop. Exit status 0, 1 for a check that fails, 2 for unusable settings."""
    command(_PROGRAM, speech_settings.load, serve, arguments)


def serve(settings: SpeechSettings) -> None:
    """Until SIGTERM or SIGINT: then nothing more is taken in, and what is being spoken has `grace_seconds`."""
    from pipeline.engines.piper import Piper
    from pipeline.speech_server.app import create_app
    from pipeline.speech_server.booth import Booth
    from pipeline.speech_server.singer import Booths, Singer

    threads = settings.threads or len(os.sched_getaffinity(0))
    synthesizer = Piper([settings.voices_dir], threads=threads, stop=Event(), in_parts=True)
    singer = Singer(synthesizer, default=settings.voice, most_loaded=settings.max_loaded)
    booth: Booths = Booth(singer.sing, threads=threads, most=settings.max_waiting)
    answer(create_app(singer, booth, settings), settings, close=booth.close, threads=threads)


if __name__ == "__main__":
    main()
