import pytest
from pydantic import ValidationError

from combine.api.bodies import Body


class Inner(Body):
    name: str = ""


class Outer(Body):
    text: str = ""
    answers: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    inner: Inner = Inner()


@pytest.mark.parametrize("given", [{"text": "ä \u2028 \U0001f600"}, {"answers": {"a": "b"}}, {"inner": {"name": "x"}}])
def test_what_can_be_stored(given):
    assert Outer.model_validate(given).model_dump(exclude_unset=True) == given


@pytest.mark.parametrize(
    "given",
    [
        {"text": "a\0b"},
        {"text": "\ud800"},
        {"answers": {"a\0": "b"}},
        {"answers": {"a": "b\udfff"}},
        {"inner": {"name": "\0"}},
        {"other": 1},
        {"inner": {"other": 1}},
    ],
)
def test_what_cannot(given):
    with pytest.raises(ValidationError):
        Outer.model_validate(given)
