"""Changes that plant one fault each in the worked set, and what is to be found."""

from bakery_set import ARCHITECTURE, DISCOVERY, REQUIREMENTS, REVIEW

from combine.documents.items import iter_items


def item(document, item_id):
    return next(i.value for i in iter_items(document) if i.id == item_id)


def put(item_id, **fields):
    return lambda document: item(document, item_id).update(fields)


def drop(list_name, *item_ids):
    def change(document):
        document[list_name] = [v for v in document[list_name] if v["id"] not in item_ids]

    return change


def add(list_name, **value):
    return lambda document: document[list_name].append(value)


def source(item_id, ref, quote, at=0):
    return lambda document: item(document, item_id)["sources"][at].update(ref=ref, quote=quote)


def at(*path, value):
    def change(document):
        for part in path[:-1]:
            document = document[part]
        document[path[-1]] = value

    return change


def without(*path):
    def change(document):
        for part in path[:-1]:
            document = document[part]
        del document[path[-1]]

    return change


WORDS = "word " * 81
A_SOURCE = [{"ref": "B-1", "quote": "loses some of them"}]
# name: type, change, code, item, path
ONE_FAULT = {
    # schema
    "missing field": (DISCOVERY, without("project_name"), "schema", None, "$"),
    "missing field of an item": (
        REQUIREMENTS,
        without("functional_requirements", 1, "title"),
        "schema",
        "FR-002",
        "$.functional_requirements[1]",
    ),
    "unknown field": (DISCOVERY, at("objectives", 0, "owner", value="x"), "schema", "OBJ-001", "$.objectives[0]"),
    "wrong type": (DISCOVERY, at("project_name", value=["x"]), "schema", None, "$.project_name"),
    "unknown enum value": (
        REQUIREMENTS,
        put("FR-003", priority="nice"),
        "schema",
        "FR-003",
        "$.functional_requirements[2].priority",
    ),
    "empty required text": (DISCOVERY, put("STK-002", name=""), "schema", "STK-002", "$.stakeholders[1].name"),
    "text of spaces": (DISCOVERY, put("STK-002", name="  "), "schema", "STK-002", "$.stakeholders[1].name"),
    "nothing out of scope": (DISCOVERY, at("scope_summary", "out", value=[]), "schema", None, "$.scope_summary.out"),
    "no source": (REQUIREMENTS, put("FR-003", sources=[]), "schema", "FR-003", "$.functional_requirements[2].sources"),
    "component without satisfies": (
        ARCHITECTURE,
        at("components", 0, "satisfies", value=[]),
        "schema",
        "CMP-001",
        "$.components[0].satisfies",
    ),
    "ref that is no id": (
        REQUIREMENTS,
        source("FR-003", "the brief", "of them and more"),
        "schema",
        "FR-003",
        "$.functional_requirements[2].sources[0].ref",
    ),
    # ids
    "wrong prefix": (DISCOVERY, put("STK-002", id="STA-002"), "schema", "STA-002", "$.stakeholders[1].id"),
    "two digits": (DISCOVERY, put("STK-002", id="STK-02"), "schema", "STK-02", "$.stakeholders[1].id"),
    "line end after the id": (
        DISCOVERY,
        put("STK-002", id="STK-002\n"),
        "id_form",
        "STK-002\n",
        "$.stakeholders[1].id",
    ),
    "same id twice": (DISCOVERY, put("STK-002", id="STK-001"), "id_duplicate", "STK-001", "$.stakeholders[1].id"),
    "assumption declared again": (
        REQUIREMENTS,
        add("assumptions", id="ASM-002", text="Shops open daily.", reason="Not said."),
        "id_taken",
        "ASM-002",
        "$.assumptions[0].id",
    ),
    # sources
    "no such sentence": (
        REQUIREMENTS,
        source("FR-002", "B-7", "at most 25 cakes", 1),
        "source_unknown",
        "FR-002",
        "$.functional_requirements[1].sources[1]",
    ),
    "no such answer": (
        REQUIREMENTS,
        source("FR-002", "Q-2", "Offer the next free day", 2),
        "source_unknown",
        "FR-002",
        "$.functional_requirements[1].sources[2]",
    ),
    "no such objective": (
        REQUIREMENTS,
        source("FR-003", "OBJ-009", "one shared order list", 1),
        "source_unknown",
        "FR-003",
        "$.functional_requirements[2].sources[1]",
    ),
    "no such assumption": (
        REQUIREMENTS,
        source("FR-003", "ASM-009", "shop staff enter them"),
        "source_unknown",
        "FR-003",
        "$.functional_requirements[2].sources[0]",
    ),
    "cites itself": (
        REQUIREMENTS,
        source("FR-003", "FR-003", "counted against the limit"),
        "source_self",
        "FR-003",
        "$.functional_requirements[2].sources[0]",
    ),
    "invented quote": (
        DISCOVERY,
        source("RSK-001", "B-1", "orders are often forgotten"),
        "quote_not_found",
        "RSK-001",
        "$.risks[0].sources[0]",
    ),
    "quote of another sentence": (
        REQUIREMENTS,
        source("NFR-002", "B-5", "must stay in the EU"),
        "quote_not_found",
        "NFR-002",
        "$.non_functional_requirements[1].sources[0]",
    ),
    "changed word": (
        REQUIREMENTS,
        source("FR-002", "B-3", "at most 35 cakes a day", 1),
        "quote_not_found",
        "FR-002",
        "$.functional_requirements[1].sources[1]",
    ),
    "quote of an item's own sources": (
        REQUIREMENTS,
        source("FR-003", "OBJ-001", "loses some of them", 1),
        "quote_not_found",
        "FR-003",
        "$.functional_requirements[2].sources[1]",
    ),
    "two words": (
        REQUIREMENTS,
        source("FR-003", "RSK-001", "the limit", 1),
        "quote_too_short",
        "FR-003",
        "$.functional_requirements[2].sources[1]",
    ),
    # references
    "depends on nothing": (
        REQUIREMENTS,
        put("FR-003", depends_on=["FR-009"]),
        "reference_unknown",
        "FR-003",
        "$.functional_requirements[2].depends_on[0]",
    ),
    "satisfies nothing": (
        ARCHITECTURE,
        at("components", 2, "satisfies", value=["NFR-001", "NFR-009"]),
        "reference_unknown",
        "CMP-003",
        "$.components[2].satisfies[1]",
    ),
    "decided by nothing": (
        ARCHITECTURE,
        at("technology_stack", 0, "decided_by", value="ADR-007"),
        "reference_unknown",
        None,
        "$.technology_stack[0].decided_by",
    ),
    "key decision that is none": (
        ARCHITECTURE,
        at("overview", "key_decisions", value=["ADR-005"]),
        "reference_unknown",
        None,
        "$.overview.key_decisions[0]",
    ),
    "data kept nowhere": (
        ARCHITECTURE,
        at("data_architecture", value=[{"data": "orders", "kept_in": "CMP-008"}]),
        "reference_unknown",
        None,
        "$.data_architecture[0].kept_in",
    ),
    "depends on itself": (
        REQUIREMENTS,
        put("FR-001", depends_on=["FR-001"]),
        "depends_on_circle",
        "FR-001",
        "$.functional_requirements[0].depends_on",
    ),
    # sizes
    "too long": (
        REQUIREMENTS,
        put("FR-003", description=WORDS),
        "text_too_long",
        "FR-003",
        "$.functional_requirements[2].description",
    ),
    "too long without spaces": (
        DISCOVERY,
        put("OBJ-001", description="予約" * 81),
        "text_too_long",
        "OBJ-001",
        "$.objectives[0].description",
    ),
    "too many criteria": (
        REQUIREMENTS,
        put("FR-003", acceptance_criteria=["Given a, then b."] * 7),
        "too_many",
        "FR-003",
        "$.functional_requirements[2].acceptance_criteria",
    ),
    # coverage
    "objective dropped": (
        REQUIREMENTS,
        source("FR-001", "B-1", "loses some of them"),
        "objective_not_covered",
        "OBJ-001",
        "$.functional_requirements",
    ),
    "must without component": (
        ARCHITECTURE,
        at("components", 1, "satisfies", value=["FR-001", "NFR-002"]),
        "must_not_covered",
        "FR-002",
        "$.components",
    ),
    # review
    "finding on no document": (
        REVIEW,
        put("FND-001", document="security-doc"),
        "finding_document_unknown",
        "FND-001",
        "$.findings[0].document",
    ),
    "finding on no item": (
        REVIEW,
        put("FND-001", item="FR-030"),
        "finding_item_unknown",
        "FND-001",
        "$.findings[0].item",
    ),
    "finding on an item of another document": (
        REVIEW,
        put("FND-001", document=ARCHITECTURE),
        "finding_item_unknown",
        "FND-001",
        "$.findings[0].item",
    ),
    "finding on no sentence": (
        REVIEW,
        put("FND-001", document="brief", item="B-9"),
        "finding_item_unknown",
        "FND-001",
        "$.findings[0].item",
    ),
    "critical but approved": (
        REVIEW,
        put("FND-001", severity="critical"),
        "verdict_contradicts_findings",
        None,
        "$.overall_assessment.status",
    ),
    "major but approved": (
        REVIEW,
        at("overall_assessment", "status", value="approved"),
        "verdict_contradicts_findings",
        None,
        "$.overall_assessment.status",
    ),
    "action against verdict": (
        REVIEW,
        at("recommendation", "action", value="revise"),
        "action_contradicts_verdict",
        None,
        "$.recommendation.action",
    ),
    "document not reviewed": (
        REVIEW,
        lambda d: d["document_reviews"].pop(),
        "review_count",
        None,
        "$.document_reviews",
    ),
    "document reviewed twice": (
        REVIEW,
        lambda d: d["document_reviews"].append(d["document_reviews"][0]),
        "review_count",
        None,
        "$.document_reviews",
    ),
    "review of no document": (
        REVIEW,
        lambda d: d["document_reviews"].append({"document_type": "x", "status": "approved"}),
        "review_unknown",
        None,
        "$.document_reviews[3]",
    ),
}
