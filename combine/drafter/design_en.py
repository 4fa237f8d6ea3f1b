"""English texts of the parts and decisions a design may have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from combine.drafter.frame_types import ComponentFrame, DecisionFrame

ENGLISH_COMPONENTS: Mapping[str, ComponentFrame] = MappingProxyType(
    {
        "pages": ComponentFrame(
            "Pages",
            "Shows people what they may see, takes their input and tells them what became of it.",
            ("pages for each group of people",),
            ("rules", "store"),
        ),
        "rules": ComponentFrame(
            "Limits",
            "Decides whether something is still allowed under the limits, at the moment it is written.",
            ("may this be added",),
            ("store",),
        ),
        "messages": ComponentFrame(
            "Messages",
            "Sends what is due to the right person once, and records what could not be delivered.",
            ("send message",),
            ("store",),
        ),
        "reports": ComponentFrame(
            "Reports",
            "Reads the stored records and puts together figures and lists.",
            ("report on request",),
            ("store",),
        ),
        "gateway": ComponentFrame(
            "Gateway",
            "The only part that talks to other systems; keeps their form and their outages away from the rest.",
            ("exchange with other systems",),
            ("store",),
        ),
        "store": ComponentFrame(
            "Records",
            "Keeps all records once, with the rules on place, access and deletion that apply to them.",
            ("read and write records",),
        ),
    }
)

ENGLISH_DECISIONS: Mapping[str, DecisionFrame] = MappingProxyType(
    {
        "one": DecisionFrame(
            "One application with one database",
            "Build a single application, divided inside into the named components, on a single database.",
            "Nothing cited asks for parts that run or grow separately, and each further part would have to be "
            "run and "
            "paid for ({ids}).",
            (
                "Separate services: more to run and to keep in step, and no requirement needs it.",
                "A ready-made product: not examined here, worth a look before building.",
            ),
            (
                "One thing to install, back up and watch.",
                "If a part must later grow on its own, it has to be cut out along the component lines.",
            ),
        ),
        "limits": DecisionFrame(
            "Limits are checked where records are written",
            "Check and write in one database transaction.",
            "Two people who ask at the same moment must not both get the last place ({ids}).",
            (
                "Check in the page only: two people could pass at once.",
                "Check afterwards by hand: somebody has already been promised something.",
            ),
            ("A limit holds under simultaneous use.", "While the database is down nothing can be accepted."),
        ),
        "data": DecisionFrame(
            "Rules about data are carried out in one place",
            "Only the records component stores data; place, access and deletion are carried out there.",
            "A rule that has to hold everywhere is kept most surely where everything passes ({ids}).",
            (
                "Each component keeps its own copy: every rule would have to hold in each.",
                "Deletion and access by hand: depends on somebody remembering.",
            ),
            ("One place to show that a rule holds.", "Backups and exports have to follow the same rules."),
        ),
        "gateway": DecisionFrame(
            "Other systems stay behind one gateway",
            "All exchange with other systems passes one component; they stay as they are.",
            "The brief names systems outside this project, which change on their own terms ({ids}).",
            (
                "Direct access from every part: each change outside would be felt everywhere.",
                "Typing over by hand: no technology, but the work and the mistakes stay.",
            ),
            (
                "An outage outside does not stop the rest.",
                "Form and direction of each exchange still have to be agreed.",
            ),
        ),
    }
)
