"""What every Writer promises, whichever engine is behind it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from pipeline.ports import Question, Writer

HELLO = Question(system="You are brief.", prompt="Name three colours.", seed=7, max_tokens=24, temperature=0.0)


def check_writer(writer: Writer) -> None:
    """Describes itself without being asked to work, answers, tells the text as it comes, takes several at once."""
    identity = writer.describe()
    assert identity.engine
    assert identity.name
    assert len(identity.digest) == 64
    assert identity == writer.describe()

    pieces: list[str] = []
    answer = writer.answer(HELLO, pieces.append)
    assert answer.text.strip()
    assert "".join(pieces) == answer.text
    assert answer.seconds > 0
    assert 0 < answer.tokens <= HELLO.max_tokens

    cut = writer.answer(Question("", "Tell a long story about a fox.", seed=1, max_tokens=5, temperature=0.0))
    assert not cut.complete

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: writer.answer(HELLO), range(4)))
    assert all(answer.text.strip() for answer in answers)

    writer.check()
