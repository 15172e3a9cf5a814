"""Locks: one process at a time, and no waiting where there can be no lock."""

import os
import subprocess
import sys

import pytest

from nclib._lock import locked


def test_a_lock_that_is_held_is_waited_for_or_refused_with_its_holder(tmp_path):
    path = tmp_path / "folder" / "run.lock"
    with locked(path):
        refused = rf"run\.lock is locked by process {os.getpid()}$"
        with pytest.raises(BlockingIOError, match=refused), locked(path, wait=False):
            pass
    with locked(path, wait=False):
        pass


def test_the_system_frees_the_lock_of_a_process_that_ends(tmp_path):
    path = tmp_path / "run.lock"
    code = f"import os, pathlib, nclib._lock as lock; p = pathlib.Path({str(path)!r})"
    code += "\nwith lock.locked(p): os._exit(0)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert path.read_text().isdigit()
    with locked(path, wait=False):
        assert path.read_text() == str(os.getpid())


def test_an_error_within_passes_through_and_frees_the_lock(tmp_path):
    path = tmp_path / "run.lock"
    with pytest.raises(BlockingIOError, match="of the work itself"), locked(path):
        raise BlockingIOError("of the work itself")
    with locked(path, wait=False):
        pass


def test_where_no_file_can_be_made_nothing_is_waited_for(tmp_path):
    (tmp_path / "file").touch()
    path = tmp_path / "file" / "run.lock"
    with locked(path), locked(path, wait=False):
        pass
