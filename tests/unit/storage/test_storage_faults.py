import psycopg
import pytest
import sqlalchemy as sa

from combine.errors import DatabaseUnavailable, Invalid
from combine.storage.core.database import Database
from combine.storage.core.faults import DatabaseFault, fault_of, full_disk, reason_of
from combine.storage.core.urls import display_url, libpq_url, normalise_url

NO_ROOM = "connection failed: FATAL:  could not write init file: No space left on device"


def _wrapped(kind, original, *, lost=False):
    return kind("SELECT 1", {}, original, connection_invalidated=lost)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (_wrapped(sa.exc.OperationalError, psycopg.errors.SerializationFailure()), DatabaseFault.CONFLICT),
        (_wrapped(sa.exc.OperationalError, psycopg.errors.DeadlockDetected()), DatabaseFault.CONFLICT),
        (_wrapped(sa.exc.OperationalError, psycopg.errors.AdminShutdown()), DatabaseFault.LOST),
        (_wrapped(sa.exc.OperationalError, psycopg.errors.CannotConnectNow()), DatabaseFault.LOST),
        (_wrapped(sa.exc.OperationalError, psycopg.errors.ConnectionFailure()), DatabaseFault.LOST),
        (_wrapped(sa.exc.OperationalError, psycopg.errors.TooManyConnections()), DatabaseFault.LOST),
        (_wrapped(sa.exc.OperationalError, psycopg.OperationalError("connection is bad")), DatabaseFault.LOST),
        (_wrapped(sa.exc.InterfaceError, psycopg.InterfaceError("the connection is closed")), DatabaseFault.LOST),
        (_wrapped(sa.exc.DBAPIError, psycopg.Error("anything"), lost=True), DatabaseFault.LOST),
        (sa.exc.TimeoutError("the pool is exhausted"), DatabaseFault.LOST),
        (_wrapped(sa.exc.OperationalError, psycopg.errors.DiskFull()), DatabaseFault.DISK_FULL),
        (_wrapped(sa.exc.OperationalError, psycopg.OperationalError(NO_ROOM)), DatabaseFault.DISK_FULL),
        (_wrapped(sa.exc.IntegrityError, psycopg.errors.UniqueViolation()), None),
        (_wrapped(sa.exc.IntegrityError, psycopg.errors.ForeignKeyViolation()), None),
        (_wrapped(sa.exc.ProgrammingError, psycopg.errors.UndefinedTable()), None),
        (_wrapped(sa.exc.ProgrammingError, psycopg.ProgrammingError("cannot adapt")), None),
        (OSError("of the work, not of the database"), None),
        (ValueError("a bug"), None),
    ],
    ids=lambda value: type(getattr(value, "orig", value)).__name__ if isinstance(value, Exception) else str(value),
)
def test_which_errors_are_worth_another_try(error, fault):
    assert fault_of(error) is fault


def _caused(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (psycopg.errors.DiskFull("could not extend file"), True),
        (_caused(DatabaseUnavailable("The engine could not start"), psycopg.errors.DiskFull("no room")), True),
        (_caused(DatabaseUnavailable("cannot be reached"), psycopg.OperationalError(NO_ROOM)), True),
        (DatabaseUnavailable("cannot be reached: No space left on device"), False),
        (OSError(28, "No space left on device"), False),
        (psycopg.OperationalError("connection is bad"), False),
    ],
)
def test_a_full_disk_is_found_whoever_has_met_it(error, found):
    told = full_disk(error)
    assert (told is not None and told.code == "database_disk_full") is found


def test_a_reason_is_one_line_without_a_password():
    error = psycopg.OperationalError("\n  cannot use postgresql://ann:s3cret@host/db password=s3cret\nsecond line")
    assert reason_of(error) == "cannot use postgresql://ann:***@host/db password=***"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_postgresql_scheme_is_understood(scheme):
    url = normalise_url(f" {scheme}://ann:p%40ss@db.example:6543/combine?sslmode=require ")
    assert url.drivername == "postgresql+psycopg"
    assert libpq_url(url) == "postgresql://ann:p%40ss@db.example:6543/combine?sslmode=require"
    assert display_url(url) == "db.example:6543/combine"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://combine@/combine?host=/run/db&application_name=x@y", "/run/db/combine"),
        ("postgresql://u@db.example/combine?sslrootcert=/etc/a@b.pem", "db.example/combine"),
        ("postgresql://ann@server:pw@db.example/combine", "db.example/combine"),
        ("postgresql://ann:p%40%2F%3F@[::1]:5433/combine", "::1:5433/combine"),
    ],
)
def test_an_at_sign_may_stand_where_it_means_no_password(text, shown):
    assert display_url(text) == shown


def test_a_socket_is_shown_by_its_folder():
    assert display_url("postgresql://combine@/combine?host=/run/db&port=5432") == "/run/db/combine"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s3cret",
        "mysql://ann:s3cret@host/db",
        "sqlite:///s3cret.db",
        "postgresql://ann:x@y:s3cret@host/db",
        "postgresql://ann:1@1/s3cret@host/db",
        "postgresql://ann:pass@s3cret@host/db",
        "postgresql://ann:pass@s3cret@127.0.0.1:1/db",
        "postgresql://ann:pass@s3cret?x@host/db",
        "postgresql://ann:pass@s3cret/x?y=z@host/db",
        "postgresql://s3cret/ann:pass@host/db",
        "postgresql://s3cret/ann?pass@host/db",
        "postgresql://ann:s3cret@host:s3cret/db",
        "postgresql://ann:s3cret@host",
        "postgresql+asyncpg://ann:s3cret@host/db",
    ],
)
def test_a_faulty_url_is_refused_without_repeating_it(text):
    with pytest.raises(Invalid) as caught:
        Database(text)
    assert caught.value.code == "database_url_invalid"
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:p?q/r#s:t@host/db", "host/db"),
        ("postgresql://:secret@host/db", "host/db"),
        ("postgresql:///db?user=ann@example.org&host=/run/db", "/run/db/db"),
    ],
)
def test_an_odd_url_that_can_be_read_is_taken(text, shown):
    assert display_url(text) == shown
