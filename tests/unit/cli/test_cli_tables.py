from combine.cli.docs import for_terminal
from combine.cli.formatting import table
from combine.cli.workflows import draw
from combine.workflows.catalog import load_catalog
from combine.workflows.definitions import StepDefinition, WorkflowDefinition


def test_columns_are_aligned_also_with_wide_letters():
    lines = list(table(("NAME", "N"), [("日本", "7"), ("a\nb", "1,000")], right=frozenset({1}), indent=" "))
    assert lines == [" NAME      N", " 日本      7", " a b   1,000"]


def step(name, inputs, output, **more):
    return StepDefinition(name, "PM", inputs, output, **more)


def test_parallel_steps_stand_side_by_side():
    workflow = WorkflowDefinition(
        "w",
        "W",
        "1",
        (
            step("first", (), "a"),
            step("left", ("a",), "b", requires_acceptance=True),
            step("right", ("a",), "c", model="offline"),
            step("last", ("b", "c"), "d", is_final=True, allow_clarification=False),
        ),
    )
    lines = list(draw(workflow))
    (row,) = [line for line in lines if "left (PM)" in line]
    assert "right (PM)" in row
    (remarks,) = [line for line in lines if "requires acceptance" in line]
    assert "may ask questions, offline" in remarks
    assert sum("▼" in line for line in lines) == 2


def test_a_row_too_wide_for_a_terminal_is_broken():
    many = tuple(step(f"step-{n}", (), f"a-document-with-a-long-name-{n}") for n in range(6))
    lines = list(draw(WorkflowDefinition("w", "W", "1", many)))
    assert max(map(len, lines)) <= 110
    assert sum("reads  brief" in line for line in lines) == 3
    assert "▼" not in "".join(lines)


def test_the_built_in_workflow_fits():
    workflow = load_catalog(None).workflow("strategy-document")
    assert max(len(line) for line in draw(workflow)) < 80


def test_markdown_without_what_only_a_browser_can_use():
    page = '### <a id="FR-1"></a>FR-1\n\nSee [B-1](#B-1).[^1]\n\n[^1]: [B-1](#B-1): “x”\n'
    assert for_terminal(page) == "### FR-1\n\nSee B-1. (1)\n\n- (1) B-1: “x”\n"
