import pytest
from hypothesis import given
from hypothesis import strategies as st

from combine.errors import DefinitionInvalid
from combine.workflows.definitions import StepDefinition, WorkflowDefinition
from combine.workflows.graph import dependents, layers, ready_steps, topological_order


def definition(edges: dict[int, set[int]]) -> WorkflowDefinition:
    """A workflow in which step n reads what the steps ``edges[n]`` write."""
    steps = tuple(
        StepDefinition(f"s{n}", "PM", tuple(f"t{m}" for m in sorted(needs)), f"t{n}") for n, needs in edges.items()
    )
    return WorkflowDefinition("flow", "Flow", "1", steps)


@st.composite
def random_edges(draw) -> dict[int, set[int]]:
    size = draw(st.integers(1, 9))
    edges = {n: draw(st.sets(st.integers(0, n - 1))) if n else set() for n in range(size)}
    order = draw(st.permutations(range(size)))
    return {n: edges[n] for n in order}


def names(steps) -> list[int]:
    return [int(step.step_id[1:]) for step in steps]


@given(random_edges())
def test_order_and_layers_put_every_producer_first(edges):
    order = names(topological_order(definition(edges)))
    assert sorted(order) == sorted(edges)
    assert all(order.index(need) < order.index(n) for n, needs in edges.items() for need in needs)
    depth = {n: level for level, layer in enumerate(layers(definition(edges))) for n in names(layer)}
    assert depth == {n: 1 + max((depth[need] for need in needs), default=-1) for n, needs in edges.items()}


@given(random_edges(), st.data())
def test_ready_are_those_whose_producers_are_all_done(edges, data):
    done = data.draw(st.sets(st.sampled_from(sorted(edges))))
    ready = names(ready_steps(definition(edges), {f"s{n}" for n in done}))
    assert ready == [n for n, needs in edges.items() if n not in done and needs <= done]


@given(random_edges(), st.data())
def test_dependents_are_all_that_can_be_reached(edges, data):
    chosen = data.draw(st.sets(st.sampled_from(sorted(edges))))

    def reaches(n: int) -> bool:
        return any(need in chosen or reaches(need) for need in edges[n])

    found = dependents(definition(edges), {f"s{n}" for n in chosen})
    assert found == {f"s{n}" for n in edges if n not in chosen and reaches(n)}


def test_a_given_valid_order_is_kept():
    given_order = definition({0: set(), 1: {0}, 2: set(), 3: {1, 2}})
    assert names(topological_order(given_order)) == [0, 1, 2, 3]


@pytest.mark.parametrize("sort", [topological_order, layers])
def test_a_circle_is_refused(sort):
    with pytest.raises(DefinitionInvalid, match="s1, s2") as caught:
        sort(definition({0: set(), 1: {2}, 2: {1}}))
    assert caught.value.code == "cycle"
