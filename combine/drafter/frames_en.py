"""English frames."""

from __future__ import annotations

from types import MappingProxyType

from combine.drafter.design_en import ENGLISH_COMPONENTS, ENGLISH_DECISIONS
from combine.drafter.frame_types import Frames, QuestionFrame

ENGLISH_FRAMES = Frames(
    label=(
        "This discovery was drafted offline by fixed rules, with no language model; it holds what the brief says "
        "in so many words."
    ),
    label_reason=(
        "Rules read words, not meaning: a person checks that nothing the brief implies is missing before it is signed."
    ),
    requirements_label=(
        "Drafted offline, with no language model: where the brief is silent, an action that fails leaves nothing half "
        "done and tells the person why."
    ),
    requirements_label_reason=(
        "The failure cases in the acceptance criteria rest on this one rule; if a case needs another outcome, its "
        "criterion changes."
    ),
    architecture_label=(
        "Drafted offline, with no language model: the plainest design, one application and one database, is enough "
        "until a "
        "requirement shows that it is not."
    ),
    architecture_label_reason=(
        "No requirement was found that asks for more; if load or other systems do, the first decision is reopened."
    ),
    unnamed="Unnamed project",
    end_problem="This problem of the brief is gone: \u201c{text}\u201d.",
    figure_met="The brief's own figure is met: \u201c{text}\u201d.",
    figure_falls="Measured again after launch, this has improved: \u201c{text}\u201d.",
    no_measure="The client judges by inspection whether these are reached, since no figure is given: {ids}.",
    no_measure_reason=(
        "The brief names no measure for them; with a figure each would get a criterion that can be checked."
    ),
    no_deadline="No date is fixed by which the result must be in use.",
    no_deadline_reason=(
        "The brief names none; with a date, requirements that cannot be ready by then would move out of scope."
    ),
    unknown_language="The brief is taken up sentence by sentence; nothing is concluded from what it leaves out.",
    unknown_language_reason="The offline rules read English and German only; a language model reads the others.",
    client="The client (\u201cwe\u201d in the brief)",
    client_short="the client",
    author="Author of the brief",
    client_role="commissions the work and decides what is open",
    roles=MappingProxyType(
        {
            "served": "those the client serves",
            "staff": "those who do the daily work",
            "profession": "professionals the brief names",
            "lead": "those who lead or decide",
            "outside": "outside partners",
            "authority": "those who set or check rules and figures",
            "technical": "those who run or supervise the technology",
        }
    ),
    too_general=frozenset({"people", "team", "owner", "owners", "agent", "agents", "client", "clients"}),
    impact=MappingProxyType(
        {
            "budget": "What costs more is left out or comes later.",
            "time": "What cannot be ready by then is left out or comes later.",
            "regulatory": "Rules out any way of storing or showing data that breaks it.",
            "resource": "The result has to work with these people and limits.",
            "technical": "The design has to fit this as it is.",
        }
    ),
    answered="{question} {answer}.",
    disagree="These two cannot both hold: \u201c{first}\u201d and \u201c{second}\u201d",
    settled="Settled by an answer: tell everybody who wrote or read the other sentence.",
    settle_conflict="The client decides which one holds before anything that depends on it is built.",
    held="Until the client decides, \u201c{first}\u201d ({one}) holds and \u201c{second}\u201d ({other}) does not.",
    conflict_reason="The brief says both; if the other one holds, every item that cites the first changes.",
    unsettled="\u201c{text}\u201d is not settled; what is built on a wrong guess has to be done again",
    left_open="Nobody has decided this yet: {ids}; what rests on a wrong assumption has to be done again",
    settle="The client settles it before the requirements it touches are built.",
    late="Not everything is ready in time for this: \u201c{text}\u201d",
    drop_first="Build what is must first; could and then should wait.",
    beyond="More is asked for than this allows: \u201c{text}\u201d",
    refuse_early="Refuse at the moment of asking, not afterwards.",
    nothing_else=(
        "Only what the brief names is delivered; moving existing records over and training are not part of it."
    ),
    nothing_else_reason="The brief excludes nothing; if either is expected, it becomes a requirement of its own.",
    nothing_else_line="Moving existing records over, training",
    conflict=QuestionFrame(
        "The brief says \u201c{first}\u201d and also \u201c{second}\u201d: which one holds?",
        "Both cannot be built; every requirement that touches the other one goes.",
    ),
    first_problem=QuestionFrame(
        "Which of these hurts most and should be solved first?",
        "Decides which objective is high and what is built first.",
    ),
    limit_question=QuestionFrame(
        "When the limit \u201c{text}\u201d is reached, what should happen to the next request?",
        "Decides whether the system offers another time, keeps a waiting list or only says no.",
        "It is refused with the reason",
        ("It is refused with the reason", "The next free time is offered", "It goes on a waiting list"),
    ),
    questions=MappingProxyType(
        {
            "functions": QuestionFrame(
                "What should people be able to do with the result that they cannot do today?",
                "Decides the functional requirements: the brief tells the trouble, but hardly what should be possible.",
                "It keeps one shared list of the matters the brief names, which everybody concerned can see and "
                "update.",
            ),
            "deadline": QuestionFrame(
                "By when must it be in use?",
                "Decides how much can be in the first version.",
                "No fixed date",
                ("Within three months", "Within six months", "Within a year", "No fixed date"),
            ),
            "data": QuestionFrame(
                "What will it store about people?",
                "Decides who may see what, where it may be kept and when it is deleted.",
                "Names and contact details only",
                (
                    "Nothing about people",
                    "Names and contact details only",
                    "Also sensitive details such as health or money",
                ),
            ),
            "budget": QuestionFrame(
                "Is there an amount that must not be exceeded, once or per month?",
                "Decides whether a design is bought, built or left out.",
                "No amount is fixed; the smallest solution that meets the musts is taken.",
            ),
            "volume": QuestionFrame(
                "On the busiest day, how many people will use it?",
                "Decides whether one small installation is enough.",
                "20 to 200 people",
                ("Fewer than 20 people", "20 to 200 people", "200 to 2,000 people", "More than 2,000 people"),
            ),
        }
    ),
    support="The system shall support this as the brief words it: \u201c{text}\u201d.",
    provide="The system shall provide {text}",
    enable="The system shall let {who} do this: {text}",
    as_told=(
        "Given everyday use, when \u201c{text}\u201d applies, then it works in the system as these words say.",
        "Given it cannot be done, when it is tried, then nothing is half done and the person is told why.",
    ),
    quoted="\u201c{text}\u201d",
    is_done="someone sets out to \u201c{text}\u201d",
    criteria=MappingProxyType(
        {
            "read": (
                "Given matching records, when {done}, then what is shown is what is stored at that moment.",
                (
                    "Given there is nothing to show, when the same is tried, then that is said plainly and no old or "
                    "empty data is shown."
                ),
            ),
            "write": (
                "Given complete details, when {done}, then it is stored once and confirmed.",
                (
                    "Given a detail is missing or not allowed, when the same is tried, then nothing is stored and the "
                    "reason is shown."
                ),
            ),
            "send": (
                (
                    "Given the moment has come, when it is time for this: \u201c{text}\u201d, then it goes out once, "
                    "to the right person."
                ),
                (
                    "Given it cannot be delivered, when the attempt fails, then the failure is shown to someone who "
                    "can act on it."
                ),
            ),
            "thing": (
                (
                    "Given the first version, when a person it is meant for looks for \u201c{text}\u201d, then it is "
                    "there and can be used."
                ),
                (
                    "Given it is out of order, when someone tries to use it, then they are told so and nothing entered "
                    "is lost."
                ),
            ),
            "never": (
                "Given normal use, when anyone works with the system, then this holds: {done}.",
                (
                    "Given someone tries the opposite, when the attempt is made, then it is refused and the reason is "
                    "shown."
                ),
            ),
            "other": (
                "Given everything it needs is there, when {done}, then it succeeds and the result can be seen.",
                (
                    "Given something it needs is missing, when the same is tried, then nothing is half done and the "
                    "reason is shown."
                ),
            ),
        }
    ),
    limit=(
        "If the limit \u201c{text}\u201d is reached, then the system shall accept nothing further that counts "
        "against it and say so."
    ),
    limit_decided=(
        "If the limit \u201c{text}\u201d is reached, then the system shall accept nothing further that counts "
        "against it, "
        "and this was decided: \u201c{answer}\u201d."
    ),
    limit_title="Hold the limit: {text}",
    limit_criteria=(
        (
            "Given the limit \u201c{text}\u201d is reached, when one more is asked for, then it is not accepted and "
            "the person is told."
        ),
        (
            "Given room for one more under \u201c{text}\u201d, when two people ask at the same moment, then exactly "
            "one is accepted."
        ),
    ),
    limit_held="The system itself holds the limits that the brief states on what may be taken on.",
    limit_held_reason="The brief states limits but not who watches them; where people do, the requirement goes.",
    remedy="The system shall be arranged so that this problem ends: \u201c{text}\u201d.",
    remedy_title="End the problem in {ref}",
    remedy_criteria=(
        (
            "Given the system has been in daily use for a time the client sets, when the client looks for new cases of "
            "what {ref} "
            "describes, then there is none."
        ),
        "Given such a case does occur, when it is looked into, then the records show what happened and when.",
    ),
    serve="The system shall serve this objective: \u201c{text}\u201d.",
    serve_title="Reach {id}",
    serve_criteria=(
        "Given the system is in use, when the client checks \u201c{text}\u201d, then it holds.",
        "Given it does not hold, when the records are read, then they show since when and in which cases.",
    ),
    metrics=MappingProxyType(
        {
            "erase": "time until deletion",
            "place": "places of storage and backup",
            "security": "cases in which the wording is broken",
            "performance": "time a person waits, or the figure the wording names",
            "reliability": "time or cases in which it does not hold",
            "usability": "people of the named group who manage without help",
            "compatibility": "named devices on which it works",
            "maintainability": "changes made without outside help",
            "volume": "people using it on the busiest day without noticeable waiting",
            "data": "kinds of data stored about people",
        }
    ),
    no_target="Where a quality is asked for without a figure, the client judges it by trying the finished result.",
    no_target_reason="The brief gives no number for it; any number here would be invented.",
    no_target_line="no figure given ({id})",
    answered_quality=MappingProxyType(
        {
            "volume": "The system serves this many on the busiest day: {text}.",
            "data": "The system stores about people, and protects, no more than this: {text}.",
        }
    ),
    personal="personal",
    components=ENGLISH_COMPONENTS,
    decisions=ENGLISH_DECISIONS,
    style="modular monolith",
    summary="One application with one database, divided into: {parts}. It carries {functional} functional and {other} "
    "non-functional requirements; nothing cited needs more.",
    summary_outside="Outside our control: {systems}.",
    person_cue=r"\bsystem shall (?:let|require|provide)\b",
    message_cue=r"\b(?:send|sends|messages?|notif\w+|remind\w*|e-?mail|inform\w*|alert\w*|sms)\b",
    report_cue=r"\b(?:reports?|figures|statistics|export\w*|print\w*|evaluat\w+)\b",
    web_cue=r"\b(?:online|web\w*|browser|internet|portal|e-?mail)\b",
    area_application="application",
    area_store="data store",
    area_hosting="hosting",
    stack_web="one web application",
    stack_application="one application",
    stack_store="one relational database",
    stack_place="one managed host {place}",
    stack_host="one managed host ({id})",
    no_host="One managed host runs application and database.",
    no_host_reason=(
        "The brief names no place; with servers of the client's own, running and backup become the client's work."
    ),
    data_rules="under {ids}",
    verdict=(
        "Computed offline by fixed rules, with no language model: sources, quotes, coverage and numbers were "
        "checked, "
        "the meaning was not judged. Findings: {findings}, of them major: {major}. A person has to read the set before "
        "it is signed."
    ),
    verdict_reason=(
        "Nothing the rules can prove stands against going on; what they cannot judge is listed for the person who "
        "reads it."
    ),
    step_major="Decide {item} and mend {document} ({id}).",
    step_read="Somebody who knows the client's work reads the documents against the brief.",
    found_conflict=(
        "Two sentences of the brief cannot both hold: \u201c{first}\u201d and \u201c{second}\u201d; the documents "
        "follow the first."
    ),
    mend_conflict="The client says which one holds; then the items that cite the other one change.",
    found_addressed=(
        "This sentence speaks to whoever writes or reviews, not about the product, and was not followed: "
        "\u201c{text}\u201d."
    ),
    mend_addressed="Ask the author what was meant, and take it out of the brief.",
    found_unused="No item uses this sentence: \u201c{text}\u201d.",
    mend_unused="Add an item that rests on it, or confirm that nothing follows from it.",
    found_background="These sentences are used by no item and read like background: {refs}.",
    mend_background="Look through them once for anything that should have become an item.",
    found_assumption="Nobody has confirmed what the documents take as true: {ids}.",
    mend_assumption="The client confirms or changes each of them.",
    found_hint="A check points this out, and it may be nothing: {text}.",
    hints=MappingProxyType({}),
    mend_hint="Look at the item and decide.",
    sent_back="The draft was sent back with these words, which still have to be worked in: \u201c{text}\u201d.",
    open_finding="Still open after the review ({where}): {text}.",
    note_reason=(
        "Offline rules, with no language model, can record a reason but not rewrite by it: a person edits the "
        "items, or a model does."
    ),
)
