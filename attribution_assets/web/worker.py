"""Runs that are started from here: one at a time, each in a process of its own, which goes on when the server ends."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from select import select
from threading import Thread
from typing import Any

from django.db import transaction
from django.utils import timezone

from attribution_assets.catalog.models import require_models
from attribution_assets.errors import BusyError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.web.models import Run

Steps = Sequence[Sequence[str]]

KEPT = 64 * 1024
"""How many bytes of what a run prints are kept, from its end."""

EVERY = 1.0
"""After how many seconds what a run has printed is stored again."""

TRIES, PAUSE = 10, 0.02
"""How often the lock is tried, and the seconds between: who looks whether a run is under way holds it for a moment."""

KILLED = "The run was killed. Start it again: what it has finished does not change.\n"


def steps_of_process_data(ours: Settings) -> Steps:
    """The commands that import the campaign results and report them.

    Raises NotReadyError where ATTRIBUTION_CAMPAIGN_FILE does not name a file.
    """
    if not ours.campaign_file:
        raise NotReadyError("ATTRIBUTION_CAMPAIGN_FILE is not set. Set it to the file with campaign results, and start again.")
    if not ours.campaign_file.is_file():
        raise NotReadyError(
            f"There is no file {ours.campaign_file}, which ATTRIBUTION_CAMPAIGN_FILE names. Put it there, or name another one."
        )
    return [["import", "campaign_results", str(ours.campaign_file)], ["run", "--groups", "campaigns"]]


def steps_of_compare(ours: Settings, days: Mapping[str, str]) -> Steps:
    """The commands that compare the models and report the paths over conversions from `start` to `end`, and keep both.

    Raises NotReadyError where no models are chosen.
    """
    require_models(ours, "model_comparison")
    options = [text for name, day in days.items() for text in (f"--{name}", day)]
    return [[command, "--keep", *options] for command in ("compare", "paths")]


def start(ours: Settings, kind: str, steps: Steps, user: Any) -> Run:
    """Starts a run of these commands and returns it at once; where one is under way, returns that one.

    Raises BusyError where one is just ending.
    """
    with _opened(ours) as lock:
        with transaction.atomic():  # which one process enters after the other
            is_free = _taken(lock)
            running = Run.objects.filter(state=Run.State.RUNNING)
            if not is_free:
                if under_way := running.first():
                    return under_way
                raise BusyError("Another run is just ending. Start again.")
            for killed in running:
                _told_as_killed(killed).save()
            run = Run.objects.create(kind=kind, steps=steps, started_by=user)
        _start(ours, run, lock)
    return run


def as_it_is(ours: Settings, run: Run) -> Run:
    """The run as it is now: one that was killed has failed, whatever its row says. Writes nothing."""
    if run.state == Run.State.RUNNING and not _is_under_way(ours):
        run.refresh_from_db()  # its end is stored before the lock is given up
        if run.state == Run.State.RUNNING:
            return _told_as_killed(run)
    return run


def commands(run: Run) -> list[str]:
    """Its commands as one would type them."""
    return [shlex.join(["attribution", *step]) for step in run.steps]


def work(run: Run, lock: int) -> None:
    """Runs the commands of a run, one after the other until one fails, and stores what they print and how it ended.

    `lock`: the descriptor that says that a run is under way, until it is closed.
    """
    printed, code = b"", 0
    for step, command in zip(run.steps, commands(run), strict=True):
        printed += f"$ {command}\n".encode()
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-m", "attribution_assets", *step],
            stdin=subprocess.DEVNULL,
            stdout=writing,
            stderr=writing,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            pass_fds=[lock],  # where this process is killed, the run is under way until the command has ended
        )
        os.close(writing)
        printed = _stored_until_end(run, reading, printed)
        if code := process.wait():
            break
    run.state = Run.State.FAILED if code else Run.State.SUCCEEDED
    run.exit_code, run.finished = code, timezone.now()
    run.save()
    os.close(lock)


def _stored_until_end(run: Run, pipe: int, printed: bytes) -> bytes:
    """Stores what comes through the pipe, after what is `printed` already, as it comes; returns all of it that is kept."""
    stored, at = b"", 0.0
    while True:
        if select([pipe], [], [], EVERY)[0]:
            if not (more := os.read(pipe, KEPT)):
                break
            printed = (printed + more)[-KEPT:]
        if printed != stored and time.monotonic() - at >= EVERY:
            run.output = printed.decode(errors="replace")
            run.save(update_fields=["output"])
            stored, at = printed, time.monotonic()
    os.close(pipe)
    run.output = printed.decode(errors="replace")
    return printed


def _start(ours: Settings, run: Run, lock: int) -> None:
    """Starts the process of a run, which inherits the lock, and the settings: relative paths begin where they do here."""
    places = {
        "ATTRIBUTION_DATABASE": ours.database.given,
        "ATTRIBUTION_EXPORTS": ours.exports,
        "ATTRIBUTION_WEB_DATABASE": ours.web_database,
        **({"DAGSTER_HOME": ours.dagster_home} if ours.dagster_home else {}),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "attribution_assets.web", "work", str(run.id), str(lock)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**os.environ, **{name: str(path) for name, path in places.items()}},
        pass_fds=[lock],
        start_new_session=True,
    )
    Thread(target=process.wait, daemon=True).start()  # so that no zombie is left behind


# -- the lock: it is held as long as a run is under way ---------------------------------------------------------------


def lock_file(ours: Settings) -> Path:
    """The file whose lock says that a run is under way."""
    return ours.web_database.with_name(f"{ours.web_database.name}.run")


@contextmanager
def _opened(ours: Settings) -> Iterator[int]:
    descriptor = os.open(lock_file(ours), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)  # a process that has inherited it goes on holding the lock


def _taken(descriptor: int) -> bool:
    """Whether the lock could be taken."""
    for _ in range(TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(PAUSE)
        else:
            return True
    return False


def _is_under_way(ours: Settings) -> bool:
    with _opened(ours) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _told_as_killed(run: Run) -> Run:
    run.state = Run.State.FAILED
    run.output += KILLED
    return run
