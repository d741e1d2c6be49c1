"""Every sample does what its story says, through a real server and over real SMTP."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from moonpost.testing.perform import perform
from moonpost.testing.stage import Stage, headers_of, recipients_of
from moonpost.testing.stories import StoryError, compose, read

SAMPLES = Path(__file__).parents[2] / "samples"
FOLDERS = sorted(path.parent for path in SAMPLES.glob("*/session.txt"))
NEEDED = ("policy.py", "session.txt", "README.md")
REFUSED_AFTER_DATA = 26  # swaks: the server did not accept the message
needs_swaks = pytest.mark.skipif(
    shutil.which("swaks") is None, reason="the Debian package swaks is missing"
)
STORIES = [pytest.param(folder / "session.txt", id=folder.name) for folder in FOLDERS]


@pytest.mark.parametrize("story", STORIES)
def test_every_act_comes_out_as_the_story_says(stage: Stage, story: Path) -> None:
    for act in read(story):
        performed = perform(stage, act, story.parent)
        where = f"{story.relative_to(SAMPLES.parent)}:{act.line}: {act.title}"
        assert not performed.wrong, "\n".join([where, *performed.wrong])


@needs_swaks
def test_swaks_sees_what_smtplib_sees(stage: Stage) -> None:
    act = read(SAMPLES / "header_check" / "session.txt")[1]
    message = compose(act, SAMPLES / "header_check").replace(b"\r\n", b"\n")
    done = swaks(stage, act.sender, act.recipients[0], "--data", "-", message=message)
    assert b"<** 550 5.6.0 a Date header is required" in done.stdout
    assert done.returncode == REFUSED_AFTER_DATA


@needs_swaks
def test_swaks_and_the_receiver_agree_about_the_content(stage: Stage) -> None:
    served = len(recipients_of(stage.receiver.received))
    done = swaks(stage, "a@example.test", "swaks@old.example.test", "--header", "X-Priority: 1")
    assert done.returncode == 0, done.stdout
    stage.wait_until_delivered(served + 1)
    message = next(m for m in stage.receiver.received if m.recipients == ["swaks@new.example.test"])
    headers = headers_of(message.content)
    assert headers["x-original-recipient"] == ["swaks@old.example.test"]
    assert headers["x-flags"] == ["003 0k"]


def swaks(
    stage: Stage, sender: str, recipient: str, *options: str, message: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    server = ["--server", "127.0.0.1", "--port", str(stage.port)]
    return subprocess.run(
        ["swaks", *server, "--from", sender, "--to", recipient, *options],
        input=message,
        capture_output=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("folder", [pytest.param(folder, id=folder.name) for folder in FOLDERS])
def test_a_sample_is_complete(folder: Path) -> None:
    assert [name for name in NEEDED if not (folder / name).exists()] == []
    source = f'source = "{folder.name}/policy"'
    assert source in (SAMPLES / "ecelerity.conf").read_text(encoding="utf-8")
    listed = (SAMPLES / "README.md").read_text(encoding="utf-8")
    assert f"]({folder.name}/README.md)" in listed, f"samples/README.md does not list {folder.name}"


def test_a_word_nobody_knows_is_refused_with_its_line(tmp_path: Path) -> None:
    story = tmp_path / "session.txt"
    story.write_text("# an act\nfrom: a@example.test\nexpects data: 250\n", encoding="utf-8")
    with pytest.raises(StoryError, match=r"session\.txt:3: 'expects data' is not understood"):
        read(story)


def test_a_message_that_is_nowhere_is_told_with_the_line_of_its_act(tmp_path: Path) -> None:
    story = tmp_path / "session.txt"
    story.write_text("# an act\nmessage: nothing\n", encoding="utf-8")
    with pytest.raises(StoryError, match=r"session\.txt:1: there is no message 'nothing'"):
        compose(read(story)[0], tmp_path)
