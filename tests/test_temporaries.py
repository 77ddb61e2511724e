"""What a killed run leaves beside a file is gone after the next one, and what a live one writes stays."""

import os
import time
from pathlib import Path

import pytest

from harness.workflow import files


def left_by(root: Path, name: str) -> Path:
    """A temporary file or folder of a process that has ended."""
    path = root / name
    if path.suffix:
        path.write_text("half")
    else:
        path.mkdir()
        (path / "half.csv").write_text("half")
    return path


@pytest.fixture
def live(tmp_path):
    """A process that is writing part.json, and one that is moving files."""
    with files.replacing(tmp_path / "part.json") as file, files.staging(tmp_path) as folder:
        file.write_text("half")
        yield file, folder


def test_what_was_left_is_removed(tmp_path):
    file, folder, other = (left_by(tmp_path, n) for n in (".part-abc.json", ".staged-abc", ".another-abc.json"))
    files.write_text(tmp_path / "part.json", "whole")
    with files.staging(tmp_path):
        pass
    assert not file.exists() and not folder.exists() and other.exists()
    assert (tmp_path / "part.json").read_text() == "whole"


def test_what_lives_stays(tmp_path, live):
    pid = os.fork()
    if not pid:  # another process, which holds no lock of this one
        files.write_text(tmp_path / "part.json", "whole")
        with files.staging(tmp_path):
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert all(path.exists() for path in live)


def test_what_was_just_made_stays(tmp_path):
    new = tmp_path / ".part-new.json"
    new.touch()
    files.write_text(tmp_path / "part.json", "whole")
    assert new.exists()
    os.utime(new, (time.time() - 60,) * 2)
    files.write_text(tmp_path / "part.json", "whole")
    assert not new.exists()
