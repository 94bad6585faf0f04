"""Claims: on all machines that see a CAPS dataset, one process at a time does a visit.

A claim is a file that only one process can create (`O_EXCL`, which holds on NFS too). Its owner
renews its date; one that nobody renewed for a lease, or whose owner died on this machine, is free.
A claim that is or may be free is replaced or removed only under its guard, itself a claim: of many
that find it free one takes it over, and at no moment is the file missing for others to create.
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
from clinica_gado.files import write_json

LEASE_S = 180.0
HEARTBEAT_S = 15.0
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_SAME_START_S = 0.5


@dataclass(frozen=True)
class Owner:
    """Who holds a claim.

    Attributes
    ----------
    run : the run of `harmonize` that it belongs to.
    host, pid, born : the process; `born`, in seconds since the machine was started, tells it from
        a later one of the same number, even when the clock was set meanwhile.
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
            return abs(_born(self.pid) - self.born) > _SAME_START_S
        except psutil.NoSuchProcess:
            return not _is_hidden(self.pid)
        except psutil.Error:
            return False


def _born(pid: int) -> float:
    booted = psutil.boot_time()  # first: older releases of psutil count by the last one asked for
    return float(psutil.Process(pid).create_time() - booted)


def _is_hidden(pid: int) -> bool:
    """Tell whether a process is another user's, and there although /proc does not show it."""
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return False


@lru_cache(maxsize=1)
def this_host() -> str:
    """Return a name for what numbers processes: the machine since its start, or a container."""
    namespace = _PID_NAMESPACE.stat().st_ino if _PID_NAMESPACE.exists() else ""
    boot = _BOOT_ID.read_text(encoding="ascii").strip() if _BOOT_ID.exists() else ""
    return f"{platform.node()}:{namespace}:{boot}"


class Claim:
    """A claim that this process holds."""

    def __init__(self, path: Path, owner: Owner) -> None:
        self._path = path
        self.owner = owner
        self._renewed = time.time()

    def is_ours(self) -> bool:
        """Tell whether it is still this process's: after a long silence another may have it."""
        return _read_owner(self._path) == self.owner

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
                if self.is_ours():
                    os.utime(self._path)
                    self._renewed = time.time()

    def _release(self) -> None:
        with suppress(OSError, OutputError):
            # One that was renewed just now is free to nobody. It needs no guard, which a full
            # disk would not hold, and which another that looks at the claim may have.
            if 0 <= time.time() - self._renewed < LEASE_S / 2:
                self._remove()
                return
            with _guarding(self._path, self.owner.run) as alone:
                if alone:
                    self._remove()

    def _remove(self) -> None:
        if self.is_ours():
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
        owner = _take(path, run, lease_s)
    except OSError as error:
        raise OutputError(
            f"Cannot write {path}: {error.strerror or error}. Check permissions and free space."
        ) from error
    return None if owner is None else Claim(path, owner)


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


def _take(path: Path, run: str, lease_s: float) -> Owner | None:
    """Write a claim that is not there, or is free; return None when another one was quicker."""
    if not path.exists():
        return _create(path, _this_process(run))
    if not _is_free(path, _read_owner(path), lease_s):
        return None
    with _guarding(path, run, lease_s) as alone:
        found = _read_owner(path)
        if not alone or not _is_free(path, found, lease_s):
            return None
        attempt = found.attempt + 1 if found is not None and found.run == run else 1
        owner = _this_process(run, attempt)
        write_json(path, asdict(owner))
        return owner


@contextmanager
def _guarding(path: Path, run: str, lease_s: float = LEASE_S) -> Iterator[bool]:
    """Be the only one that changes an existing claim; give False while another one is at it."""
    guard = path.with_name(f".{path.name}-guard")
    owner = _take(guard, run, lease_s)
    try:
        yield owner is not None
    finally:
        if owner is not None and _read_owner(guard) == owner:
            guard.unlink(missing_ok=True)


def _this_process(run: str, attempt: int = 1) -> Owner:
    born = _born(os.getpid())
    return Owner(run, this_host(), os.getpid(), born, attempt, uuid.uuid4().hex)


def _create(path: Path, owner: Owner) -> Owner | None:
    try:
        stream = path.open("x", encoding="utf-8")
    except FileExistsError:
        return None
    try:
        with stream:
            json.dump(asdict(owner), stream)
    except OSError:
        # A disk that is full at this very moment must not leave a claim of nobody.
        with suppress(OSError):
            path.unlink()
        raise
    return owner


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
