"""Claims: on all machines that see a CAPS dataset, one process at a time does a visit.

A claim is a file that only one process can create (`O_EXCL`, which holds on NFS too). Its owner
renews its date; one that nobody renewed for a lease, or whose owner died on this machine, is free.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import psutil

from clinica_gado.errors import OutputError

LEASE_S = 180.0
HEARTBEAT_S = 15.0
_PID_NAMESPACE = Path("/proc/self/ns/pid")


@dataclass(frozen=True)
class Owner:
    """Who holds a claim.

    Attributes
    ----------
    run : the run of `harmonize` that it belongs to.
    host, pid, born : the process; `born` tells it from a later one of the same number.
    attempt : 1, and one more whenever a claim of the same run is taken from a dead owner.
    token : tells this claim from every other.
    """

    run: str
    host: str
    pid: int
    born: float
    attempt: int
    token: str

    def has_died(self) -> bool:
        """Tell whether the process is known to have ended; nothing is known of other machines."""
        if self.host != this_host():
            return False
        try:
            return psutil.Process(self.pid).create_time() != self.born
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False


@lru_cache(maxsize=1)
def this_host() -> str:
    """Return a name for what numbers processes: the machine, or a container on it."""
    namespace = _PID_NAMESPACE.stat().st_ino if _PID_NAMESPACE.exists() else ""
    return f"{platform.node()}:{namespace}"


class Claim:
    """A claim that this process holds."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path = path
        self.owner = owner

    @contextmanager
    def held(self) -> Iterator[Owner]:
        """Renew the claim while the block runs, and give it up at its end."""
        ended = threading.Event()
        renewal = threading.Thread(target=self._renew, args=[ended], daemon=True)
        renewal.start()
        try:
            yield self.owner
        finally:
            ended.set()
            renewal.join()
            self._release()

    def _renew(self, ended: threading.Event) -> None:
        while not ended.wait(HEARTBEAT_S):
            with suppress(OSError):  # the next beat may reach the server again
                os.utime(self._path)

    def _release(self) -> None:
        # After a long silence another process may have taken it: that one is not ours to remove.
        if _read_owner(self._path) == self.owner:
            with suppress(OSError):
                self._path.unlink()


def take_claim(folder: Path, name: str, run: str, lease_s: float = LEASE_S) -> Claim | None:
    """Claim a name for this process, or return None while another one holds it.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    path = folder / f"{name}.claim"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        attempt = 1
        if not path.exists():
            return _create(path, run, attempt)
        found = _read_owner(path)
        if not _is_free(path, found, lease_s):
            return None
        if found is not None and found.run == run:
            attempt = found.attempt + 1
        return _create(path, run, attempt) if _set_aside(path, found) else None
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. Check permissions and free space."
        ) from error


@contextmanager
def hold(folder: Path, name: str, run: str, wait_s: float = float("inf")) -> Iterator[bool]:
    """Hold a claim while the block runs, after waiting for it; give False if it stayed taken."""
    give_up = time.monotonic() + wait_s
    while (claim := take_claim(folder, name, run)) is None and time.monotonic() < give_up:
        time.sleep(min(1.0, max(0.05, wait_s / 10)))
    if claim is None:
        yield False
        return
    with claim.held():
        yield True


def list_claims(folder: Path, lease_s: float = LEASE_S) -> dict[str, Owner]:
    """Return the claims that are held now, by name."""
    found = {path: _read_owner(path) for path in sorted(folder.glob("*.claim"))}
    return {
        path.stem: owner
        for path, owner in found.items()
        if owner is not None and not _is_free(path, owner, lease_s)
    }


def _create(path: Path, run: str, attempt: int) -> Claim | None:
    born = psutil.Process().create_time()
    owner = Owner(run, this_host(), os.getpid(), born, attempt, uuid.uuid4().hex)
    try:
        with path.open("x", encoding="utf-8") as stream:
            json.dump(asdict(owner), stream)
    except FileExistsError:
        return None
    except OSError:
        # A disk that is full at this very moment must not leave a claim of nobody.
        with suppress(OSError):
            path.unlink()
        raise
    return Claim(path, owner)


def _read_owner(path: Path) -> Owner | None:
    """Return who holds a claim; None when it is gone, or just being written."""
    try:
        return Owner(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _is_free(path: Path, owner: Owner | None, lease_s: float) -> bool:
    if owner is not None and owner.has_died():
        return True
    try:
        renewed = path.stat().st_mtime
        # By the clock that dates the claims: a server's may differ from ours.
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".clock-") as probe:
            now = Path(probe.name).stat().st_mtime
    except OSError:
        return False
    return now - renewed > lease_s


def _set_aside(path: Path, found: Owner | None) -> bool:
    """Remove a free claim; of several processes that try, one succeeds."""
    aside = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    ours = _read_owner(aside) == found
    if not ours:  # it was taken between our look and our move: give it back
        aside.rename(path)
        return False
    aside.unlink()
    return True
