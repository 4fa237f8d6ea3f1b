"""Replays: every way an execution can go comes out of its stored replies again, byte for byte, and nothing is asked."""

import copy
import gzip
import json
from dataclasses import replace
from pathlib import Path

import bakery
import pytest
import sqlalchemy as sa

from combine.auth.permissions import OPERATOR
from combine.brief.reading import split_brief
from combine.documents.statuses import DecisionAction
from combine.drafter import OfflineProvider
from combine.errors import Invalid, PermanentLLMError, TransientLLMError
from combine.execution.recording import read_recording_file, write_recording
from combine.llm.factory import LLMConfig, ProviderFactory
from combine.llm.protocol import StopReason
from combine.llm.scripted import ScriptedReply
from combine.services.commands import ForkExecution
from combine.services.replay import ReplayService, replay_recording
from combine.workflows.catalog import load_catalog
from combine.workflows.definitions import definition_from_json, definition_to_json

EXAMPLES = Path(__file__).parents[3] / "examples"
ANSWERED = {"answers": {"Q-1": "Offer the next free day."}}


def draft(type_, **changes):
    return bakery.reply(bakery.document(type_) | changes)


def invented():
    document = bakery.document("requirements-doc")
    document["functional_requirements"][0]["sources"][0]["quote"] = "words that nobody has ever written"
    return bakery.reply(document)


async def plain(house):
    execution = await house.start(**ANSWERED)
    await house.run()
    return execution


async def answered_by_a_person(house):
    execution = await house.start()
    await house.run()
    await house.service.answer(execution, {"Q-1": "Offer the next free day."})
    await house.run()
    return execution


async def left_to_us(house):
    second = bakery.QUESTION | {"text": "Who may change the hours?", "choices": ["A.", "B."], "default": "A."}
    house.says(bakery.script(project_discovery=[bakery.asking(), bakery.questions(second), draft("project-discovery")]))
    execution = await house.start(ask=False)
    await house.run()
    return execution


async def half_left_to_us(house):
    second = bakery.QUESTION | {"text": "Who may change the hours?", "choices": ["A.", "B."], "default": "A."}
    house.says(bakery.script(project_discovery=[bakery.questions(bakery.QUESTION, second), draft("project-discovery")]))
    execution = await house.start(answers={"Q-2": "decide for me"})
    await house.run()
    await house.service.answer(execution, {"Q-1": "Offer the next free day."})
    await house.run()
    return execution


async def mended(house):
    house.says(bakery.script(requirements_doc=["no JSON", invented(), draft("requirements-doc")]))
    return await plain(house)


async def cut_then_whole(house):
    cut = ScriptedReply('{"questions": [], "docu', stop_reason=StopReason.MAX_TOKENS)
    house.says(bakery.script(requirements_doc=[cut, draft("requirements-doc")]))
    return await plain(house)


async def revised_by_the_review(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review()), draft("strategy-review")]))
    return await plain(house)


async def accepted_anyway(house):
    house.says(bakery.script(requirements_doc=[invented()]))
    execution = await plain(house)
    await house.service.decide(execution, DecisionAction.ACCEPT_ANYWAY)
    await house.run()
    return execution


async def tried_again_with_words(house):
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review())]))
    execution = await plain(house)
    house.says(bakery.script())
    await house.service.decide(execution, DecisionAction.TRY_AGAIN, "Make phone orders a must.")
    await house.run()
    return execution


async def resumed_after_trouble(house):
    house.says(
        bakery.script(
            requirements_doc=[TransientLLMError("Down."), draft("requirements-doc")],
            architecture_doc=[
                ScriptedReply("", stop_reason=StopReason.REFUSAL),
                PermanentLLMError("No."),
                draft("architecture-doc"),
            ],
        )
    )
    execution = await plain(house)
    for _ in range(3):
        if (await house.row(execution)).status == "completed":
            break
        await house.service.resume(execution)
        await house.run()
    return execution


async def second_in_its_project(house):
    await plain(house)
    house.says(bakery.script())
    return await plain(house)


async def begun_by_an_older_program(house):
    execution = await second_in_its_project(house)
    forget = sa.text("UPDATE executions SET previous_ids = NULL, used_before = NULL")
    await house.database.transact(lambda session: session.connection.execute(forget))
    return execution


async def queued_while_another_completed(house):
    """By an older program, which left no trace of the versions it followed but in its prompts."""
    await plain(house)
    waiting = await house.start(**ANSWERED)
    last = house.queue.pop()
    house.says(bakery.script())
    await plain(house)
    house.says(bakery.script())
    house.queue.append(last)
    await house.run()
    for forget in (
        "UPDATE executions SET previous_ids = NULL, used_before = NULL",
        "UPDATE llm_calls SET input_sha256 = NULL",
        "UPDATE documents SET ordered_content = NULL",
    ):
        await house.database.transact(lambda session, forget=forget: session.connection.execute(sa.text(forget)))
    return waiting


async def forked(house):
    source = await plain(house)
    house.says(bakery.script(strategy_review=[bakery.reply(bakery.rejecting_review()), draft("strategy-review")]))
    fork = str(await house.service.fork(source, ForkExecution("architecture")))
    await house.run()
    return fork


class SideBySide:
    """The catalog with a review that does not read the architecture, so that both run at once."""

    def __init__(self, catalog):
        self.catalog = catalog

    def __getattr__(self, name):
        return getattr(self.catalog, name)

    def workflow(self, workflow_id):
        raw = definition_to_json(self.catalog.workflow(workflow_id))
        raw["steps"][3]["inputs"] = ["project-discovery", "requirements-doc"]
        return definition_from_json(raw)


def review_of_two(review):
    review["document_reviews"] = [r for r in review["document_reviews"] if r["document_type"] != "architecture-doc"]
    return bakery.reply(review)


async def side_by_side(house):
    house.catalog = SideBySide(house.catalog)
    reviews = [review_of_two(bakery.rejecting_review()), review_of_two(bakery.document("strategy-review"))]
    house.says(bakery.script(strategy_review=reviews))
    execution = await plain(house)
    assert (await house.row(execution)).status == "completed"
    return execution


async def fork_beside(house):
    source = await side_by_side(house)
    house.says(bakery.script(strategy_review=[review_of_two(bakery.document("strategy-review"))]))
    fork = str(await house.service.fork(source, ForkExecution("review")))
    await house.run()
    assert {request.schema_name for request in house.llm.seen} == {"strategy-review"}
    return fork


async def sent_back_at_a_gate(house):
    house.catalog = Gated(house.catalog)
    execution = await plain(house)
    await house.service.reject(execution, "Say who bakes.")
    await house.run()
    await house.service.accept(execution)
    await house.run()
    return execution


class Gated(SideBySide):
    """The catalog with a gate after the first step."""

    def workflow(self, workflow_id):
        raw = definition_to_json(self.catalog.workflow(workflow_id))
        raw["steps"][0]["requires_acceptance"] = True
        return definition_from_json(raw)


WAYS = (
    plain,
    answered_by_a_person,
    left_to_us,
    half_left_to_us,
    mended,
    cut_then_whole,
    revised_by_the_review,
    accepted_anyway,
    tried_again_with_words,
    resumed_after_trouble,
    second_in_its_project,
    begun_by_an_older_program,
    queued_while_another_completed,
    forked,
    side_by_side,
    fork_beside,
    sent_back_at_a_gate,
)


@pytest.fixture
def replays(house):
    return ReplayService(house.database, house.catalog, actor=OPERATOR, secrets=())


async def rows(house):
    """Everything in the database, to see that a replay leaves it alone."""
    async with house.database.read() as session:
        tables = ("documents", "executions", "steps", "llm_calls", "events", "questions", "findings", "blobs")
        return {
            name: (
                await session.connection.execute(
                    sa.text(f"SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {name} t")
                )
            ).scalar()
            for name in tables
        }


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_every_way_comes_out_again(house, replays, way):
    execution = await way(house)
    before, house.llm.seen = await rows(house), []
    report = await replays.replay(execution)
    assert [one for one in report.documents if not one.identical] == []
    assert report.identical
    stored = {(type_, version) for type_, version, _ in await house.versions(execution)}
    assert {(one.type, one.version) for one in report.documents} == stored
    assert (report.other_prompts, report.other_questions) == ((), ())
    assert report.prompts >= report.replies > 0
    assert (house.llm.seen, await rows(house)) == ([], before)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*-*.md")))
async def test_offline_executions_of_the_examples_render_every_prompt_again(house, replays, name):
    house.llm = ProviderFactory(LLMConfig(), {"offline": OfflineProvider})
    brief = split_brief((EXAMPLES / name).read_text(encoding="utf-8"))
    execution = await house.start(brief=brief, model="offline", ask=False)
    assert (await house.run()).status == "completed"
    report = await replays.replay(execution)
    assert report.identical
    assert (report.prompts, report.other_prompts) == (report.replies, ())


@pytest.mark.parametrize("compress", [False, True])
async def test_a_recording_replays_elsewhere_without_a_database(house, replays, compress):
    execution = await revised_by_the_review(house)
    recording = await replays.record(execution)
    data = write_recording(recording, compress=compress)
    assert data == write_recording(await replays.record(execution), compress=compress)
    read = read_recording_file(data, "FILE")
    assert write_recording(read, compress=compress) == data
    report = await replay_recording(read, load_catalog(None))
    assert report == await replays.replay(execution)
    assert report.identical


async def test_a_reply_with_half_a_character_is_recorded_as_it_came(house, replays):
    house.says(bakery.script(project_discovery=[bakery.asking(), "no JSON \ud800", draft("project-discovery")]))
    execution = await plain(house)
    recording = await replays.record(execution)
    read = read_recording_file(write_recording(recording, compress=False), "FILE")
    assert "no JSON \ud800" in [call.reply for call in read.snapshot.calls]
    assert (await replay_recording(read, load_catalog(None))).identical


async def test_later_executions_of_the_project_do_not_change_a_recording(house, replays):
    execution = await plain(house)
    before = write_recording(await replays.record(execution), compress=False)
    house.says(bakery.script())
    await plain(house)
    after = json.loads(write_recording(await replays.record(execution), compress=False))
    for one in after["documents"]:
        one["status"] = "active"
    assert after == json.loads(before)


def changed(recording, **parts):
    return replace(recording, snapshot=replace(recording.snapshot, **parts))


def changed_document(recording):
    one = recording.snapshot.documents[1]
    content = copy.deepcopy(one.content)
    content["functional_requirements"][0]["description"] = "Something else."
    documents = (recording.snapshot.documents[0], replace(one, content=content), *recording.snapshot.documents[2:])
    return changed(recording, documents=documents)


def changed_reply(recording):
    calls = [
        replace(call, reply=call.reply.replace("a", "e")) if call.step_id == "architecture" else call
        for call in recording.snapshot.calls
    ]
    return changed(recording, calls=tuple(calls))


def without_a_reply(recording):
    lost = {"reply": None, "state": "outcome_unknown"}
    calls = [replace(one, **lost) if one.step_id == "review" else one for one in recording.snapshot.calls]
    return changed(recording, calls=tuple(calls))


def other_schema(recording):
    documents = [
        replace(one, assets=one.assets | {"schemas/requirements-doc": "0" * 64}, content_sha256="1" * 64)
        if one.type == "requirements-doc"
        else one
        for one in recording.snapshot.documents
    ]
    return changed(recording, documents=tuple(documents))


@pytest.mark.parametrize(
    ("change", "type_", "path_and_reason"),
    [
        (changed_document, "requirements-doc", ("$.functional_requirements[0].description", "stored content")),
        (changed_reply, "architecture-doc", (None, "stored reply of attempt 1")),
        (without_a_reply, "strategy-review", (None, "ends before the document")),
        (other_schema, "requirements-doc", (None, "schemas/requirements-doc differs: 000000000000")),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
async def test_what_differs_is_named_with_its_reason(house, replays, change, type_, path_and_reason):
    path, reason = path_and_reason
    recording = change(await replays.record(await plain(house)))
    report = await replay_recording(recording, house.catalog)
    assert not report.identical
    [other] = [one for one in report.documents if not one.identical]
    assert other.type == type_
    assert path is None or [one.path for one in other.differences] == [path]
    assert any(reason in one for one in other.reasons), other.reasons


def test_a_file_that_was_cut_off_is_no_recording():
    whole = gzip.compress(b'{"format": "combine-recording", "version": 1}' * 100)
    with pytest.raises(Invalid, match="truncated"):
        read_recording_file(whole[: len(whole) - 20], "FILE")


def nan_in_a_content(recording):
    recording["earlier"][0]["content"]["title"] = float("nan")


def infinitely_many_revisions(recording):
    recording["workflow"]["max_revisions"] = float("inf")


def a_step_without_an_output(recording):
    recording["workflow"]["steps"][0]["outputs"] = []


@pytest.mark.parametrize("spoil", [nan_in_a_content, infinitely_many_revisions, a_step_without_an_output])
def test_a_file_with_values_that_cannot_be_is_no_recording(spoil):
    file = Path(__file__).parents[2] / "data" / "recordings" / "second-in-its-project.json.gz"
    recording = json.loads(gzip.decompress(file.read_bytes()))
    spoil(recording)
    with pytest.raises(Invalid) as refused:
        read_recording_file(json.dumps(recording).encode(), "FILE")
    assert refused.value.code == "recording_invalid"


async def test_a_recording_that_contradicts_itself_is_refused(house, replays):
    recording = await replays.record(await plain(house))
    execution = recording.snapshot.execution
    without_steps = replace(execution, workflow=replace(execution.workflow, steps=()))
    with pytest.raises(Invalid):
        await replay_recording(changed(recording, execution=without_steps), house.catalog)
