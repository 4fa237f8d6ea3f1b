import pytest
from pydantic import ValidationError

from combine.api.requests import RequestBody


class Inner(RequestBody):
    name: str = ""


class Outer(RequestBody):
    text: str = ""
    answers: dict[str, str] = {}  # noqa: RUF012 - pydantic copies it
    inner: Inner = Inner()


@pytest.mark.parametrize("given", [{"text": "ä\t\n \u2028"}, {"answers": {"a": "b"}}, {"inner": {"name": "x"}}])
def test_storable_text_is_accepted(given):
    assert Outer.model_validate(given).model_dump(exclude_unset=True) == given


@pytest.mark.parametrize(
    "given",
    [
        {"text": "a\0b"},
        {"text": "a\x01b"},
        {"text": "\ud800"},
        {"answers": {"a\0": "b"}},
        {"answers": {"a": "b\udfff"}},
        {"inner": {"name": "\0"}},
        {"other": 1},
        {"inner": {"other": 1}},
    ],
)
def test_unstorable_text_and_unknown_fields_are_refused(given):
    with pytest.raises(ValidationError):
        Outer.model_validate(given)


@pytest.mark.parametrize("depth", [10, 400, 700, 900])
@pytest.mark.parametrize("layer", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_deep_nesting_is_a_validation_error(depth, layer):
    given = "x"
    for _ in range(depth):
        given = layer(given)
    with pytest.raises(ValidationError):
        Outer.model_validate({"text": given})
