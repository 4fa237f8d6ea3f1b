"""Addresses of databases: what libpq makes of the form that we render, and what is never shown."""

from urllib.parse import quote

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from combine.storage.core.urls import display_url, libpq_url, normalise_url, with_options

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
folders = st.text(st.characters(exclude_characters="\0,", exclude_categories=["Cs"]), max_size=12).map("/run/{}".format)


def encoded(text):
    return quote(text, safe="")


@st.composite
def addresses(draw):
    """A URL as a person writes it, and what libpq is to understand."""
    user, password, database = draw(texts), draw(st.none() | texts), draw(texts)
    secret = "" if password is None else f":{encoded(password)}"
    means = {"user": user, "dbname": database} | ({} if password is None else {"password": password})
    place, query = "", {}
    match draw(st.sampled_from(["host", "ipv6", "socket", "hosts", "two hosts"])):
        case "host":
            place = "db.example:6543"
            means |= {"host": "db.example", "port": "6543"}
        case "ipv6":
            place = "[::1]:6543"
            means |= {"host": "::1", "port": "6543"}
        case "socket":
            query = {"host": draw(folders), "port": "5432"}
        case "two hosts":
            place = "one.example,two.example"
            means |= {"host": "one.example,two.example", "port": ","}
        case "hosts":
            query = {"host": "one.example,two.example", "port": "1,2", "target_session_attrs": "read-write"}
    if draw(st.booleans()):
        query["options"] = draw(st.sampled_from(["-c statement_timeout=60000", "-c search_path=a+b", r"-c x=a\ b"]))
    if draw(st.booleans()):
        query["application_name"] = draw(texts)
    rest = "&".join(f"{name}={encoded(value)}" for name, value in query.items())
    url = f"postgresql://{encoded(user)}{secret}@{place}/{encoded(database)}{'?' if rest else ''}{rest}"
    return url, means | query


@given(addresses())
def test_libpq_and_sqlalchemy_understand_what_was_written(address):
    text, means = address
    assert conninfo_to_dict(libpq_url(text)) == means
    _, given = PGDialect_psycopg().create_connect_args(normalise_url(text))
    assert {"port": means["port"]} | {name: str(value) for name, value in given.items()} == means


@given(addresses())
def test_every_form_reads_back(address):
    text, means = address
    url = normalise_url(text)
    assert normalise_url(libpq_url(url)) == url
    assert sa.make_url(libpq_url(text)).set(drivername=url.drivername) == url
    assert display_url(url).startswith(means["host"])


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("options=-c%20statement_timeout%3D60000", "-c statement_timeout=60000"),
        ("options=-csearch_path%3Dmine", "-csearch_path=mine"),
        ("options=-c+x%3D1", "-c+x=1"),
        ("options=-c x%3D1", "-c x=1"),
    ],
)
def test_options_arrive_as_psql_would_send_them(query, options):
    assert conninfo_to_dict(libpq_url(f"postgresql://u@h/db?{query}"))["options"] == options


def test_options_of_the_url_stand_last_so_that_they_win():
    url = "postgresql://u@h/db?options=-c%20TimeZone%3DAsia%2FTokyo"
    assert with_options(url, "-c TimeZone=UTC") == "-c TimeZone=UTC -c TimeZone=Asia/Tokyo"
    assert with_options("postgresql://u@h/db", "-c TimeZone=UTC") == "-c TimeZone=UTC"
