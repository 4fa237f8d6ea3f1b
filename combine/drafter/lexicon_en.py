"""English cue words."""

from __future__ import annotations

from types import MappingProxyType

from combine.drafter.words import Lexicon

_NUM = (
    r"(?:\d[\d.,]*\d|\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|"
    r"forty|fifty|sixty|ninety|a hundred|hundred|a thousand)\b)"
)
_NOT_UNIT = (
    r"(?!(?:in|on|at|by|of|the|and|or|to|for|with|from|who|that|which|we|is|are|was|were|has|have|per|a|an|each|every|"
    r"as|after|before|until|p|a|am|pm|because|so|but|only|when|if|can|must|will|should|do|does|it|they|our|written)\b)"
)
_UNIT = rf"(?:\s*%|[ -]{_NOT_UNIT}[A-Za-z\u00c0-\u024f][\w'-]*(?: {_NOT_UNIT}[a-z][\w'-]*)?)"
_RATE = r"(?: (?:a|an|per|each|every) (?:second|minute|hour|day|week|month|quarter|year|person|user|customer))?"
_BOUND = (
    r"(?:at most|at least|no more than|not more than|more than|fewer than|less than|up to|a maximum of|maximum|under|"
    r"over|within|about|around|roughly|nearly|almost|some|only)"
)
_MONTH = r"(?:January|February|March|April|May|June|July|August|September|October|November|December)"
_DATE = (
    rf"(?:\b\d{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\b(?:,? \d{{4}})?|\b{_MONTH} (?:\d{{1,2}}(?:st|nd|rd|"
    rf"th)?\b(?:,? \d{{4}})?|"
    rf"\d{{4}}\b)|\b(?:in|by|until|till|before|end of|mid-?) {_MONTH}\b|"
    r"\b\d{4}-\d\d-\d\d\b|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b|\bQ[1-4](?: \d{4})?\b|"
    r"\b(?:spring|summer|autumn|fall|winter)(?: of)? \d{4}\b|\b(?:end|beginning|start|middle) of (?:the )?"
    r"(?:year|month|quarter|season)\b|\b(?:Christmas|Easter)\b|\bnext (?:month|quarter|year|season|spring|summer|"
    r"autumn|winter)\b|\b(?:by|in|before|until) 20\d\d\b)"
)
_MONEY = (
    r"(?:(?:[\u20ac$\u00a3]|\b(?:EUR|USD|GBP|CHF)\b) ?\d[\d.,]*(?: ?(?:k|m|million|thousand))?|"
    r"\b\d[\d.,]*(?: ?(?:k|million|thousand))? ?(?:[\u20ac$\u00a3]|(?:euros?|dollars?|pounds?|francs?|EUR|USD|GBP|"
    r"CHF)\b))"
)
_PERSONAL = (
    r"\b(?:personal (?:data|information|details)|names?|address(?:es)?|birth(?: ?days?| dates?)|dates? of birth|"
    r"telephone numbers?|phone numbers?|e-?mail addresses?|contact (?:details|data)|allerg(?:y|ies)|"
    r"health (?:data|details|records?)|medical (?:data|records?)|diagnos[ei]s|(?:customer|patient|member|user) data|"
    r"children's ages?)\b"
)

_COMMON = (
    "the a an and or of to in on for with is are was be by we our it that this as at from you they not have has "
    "i my their his her its but if can will should must would there which who when what how all any do does so "
    "than then into them us only also more one shall need needs want wants able would should must"
)

ENGLISH = Lexicon(
    language="en",
    common=frozenset(_COMMON.split()),
    number=_NUM,
    measure=(
        rf"(?:{_BOUND} )?{_NUM}{_UNIT}{_RATE}(?: (?:after|before) (?:the |a |an |each |last |first )*(?!it\b|"
        rf"that\b|they\b)[a-z]+)?"
    ),
    limit=(
        rf"(?P<what>\b(?:at most|no more than|not more than|a maximum of|maximum|max\.?|only up to|up to|"
        rf"never (?:\w+ ){{1,3}}(?:more than|over)) {_NUM}(?! (?:minute|hour|day|week|month|year|euro|dollar|"
        rf"percent)){_UNIT}(?:{_RATE}))"
    ),
    money=_MONEY,
    date=_DATE,
    deadline=(
        r"\b(?:live|launch\w*|go-live|deadline|due|ready|roll(?:ed|ing)? out|start(?:s|ing)? (?:on|in|by)|"
        r"(?:has|have|needs?|must) (?:to )?(?:run|be (?:finished|done|running|working|in place|usable|available|"
        r"delivered|complete[d]?|online))|in place|operational|finish(?:ed)?|deliver(?:ed|y)? (?:by|in|until|before)|"
        r"should start|opening day)\b"
    ),
    deadline_span=(
        r"\b(?:within|in|in the next|after)(?: about)? (?:\d+|two|three|four|five|six|eight|nine|ten|twelve) "
        r"(?:weeks|months|years)\b"
    ),
    budget=r"\b(?:budget|spend|spent|afford|invest|grant|funding|funds?|costs? (?:at most|up to|no more)|price cap)\b",
    no_money=r"\b(?:no (?:money|budget|funds)|without (?:any )?(?:money|budget))\b",
    cost=r"\b(?:costs?|costly|cheap(?:ly)?|expensive|fortune|afford\w*|price)\b",
    law=(
        r"\b(?:gdpr|hipaa|ccpa|pci|laws?|legal(?:ly)?|regulat\w+|compl(?:y|ies|iance|iant)|data protection|privacy|"
        r"personal (?:data|information)|retention|wcag|licen[cs]e|certif\w+|audit\w*|statutory|"
        r"(?:delet\w+|eras\w+) (?:after|within|\w+ \w+ after)|"
        r"(?:stays?|stored|hosted|kept|remains?) (?:in|within|inside) (?:the )?(?:EU|European|country|Germany|"
        r"Switzerland|"
        r"Austria|UK|United))\b"
    ),
    place=r"\b(?:in|within|inside) (?:the )?(?:EU|European Union|Germany|Switzerland|Austria|UK|United Kingdom|USA|"
    r"United States|Canada|Europe|country)\b",
    erase=r"\b(?:delet\w+|eras\w+|remov\w+ after|retention)\b",
    capacity=(
        rf"\b(?:at most|no more than|a maximum of|maximum|only|up to|limit(?:ed)? to|with) {_NUM}|"
        rf"^\W*(?:some )?{_NUM} "
    ),
    system=(
        r"\b(?:existing|already (?:use|have|run)|(?:current|old|till|booking|accounting|legacy) (?:system|software|"
        r"program)|our (?:system|software|database|server|website)|spreadsheets?|servers?|database|api|interfaces?|"
        r"network|offline|internet|wi-?fi|tablets?|smartphones?|browsers?)\b"
    ),
    exchange=(
        r"\b(?:integrat\w+ with|connect\w* (?:to|with)|interface (?:to|with)|sync\w* with|import\w* (?:\w+ ){0,3}from|"
        r"export\w* (?:\w+ ){0,3}to|link(?:ed)? to|data from|talk to|report\w* to|stays? in|send\w* (?:\w+ ){0,3}to) "
        r"(?:the |our |their )?(?P<system>(?:[\w-]+ ){0,2}?(?:till system|system|software|register|portal|api|"
        r"database|ERP|CRM))\b(?:, (?P<name>[A-Z][\w-]+))?"
    ),
    products=(
        r"\b(?:SAP|Excel|DATEV|Outlook|Google (?:Calendar|Sheets|Maps|Drive)|Salesforce|HubSpot|WhatsApp|Slack|Teams|"
        r"Stripe|PayPal|Shopify|WooCommerce|WordPress|Microsoft 365|SharePoint|Active Directory|Jira|QuickBooks|Xero|"
        r"Zendesk|Mailchimp|Odoo|Dynamics)\b"
    ),
    goal=(
        r"\b(?:(?:we|i)(?: really| also)? (?:want|would like|hope|wish|aim|plan)|(?:we|i)'d like|goals?|aims?|"
        r"objectives?|"
        r"purpose|vision|the idea is)\b"
    ),
    success=(
        r"\b(?:call it a success|(?:would be|is|be) (?:a )?success(?:ful)?|success means|succeeds?)\b[^,:;]*?(?:if|"
        r"when|:)"
        r",? (?P<rest>.+)$"
    ),
    need=(
        r"\b(?:must|shall|should|needs?|ha(?:s|ve) to|required?|wants? to|would like|be able to|expected to|"
        r"supposed to|are to|is to)\b"
    ),
    strong=r"\b(?:must|shall|ha(?:s|ve) to|needs?|required|essential|critical|mandatory|never|vital)\b",
    weak=(
        r"\b(?:could also|nice to have|optional(?:ly)?|ideally|if possible|eventually|one day|would be nice|bonus)\b"
    ),
    problem=(
        r"\b(?:los(?:e|es|ing|t)|forg[eo]t\w*|problems?|too (?:slow|long|many|much|late|often|expensive)|far too|"
        r"errors?|"
        r"mistakes?|wrong|mess(?:y)?|chaos|chaotic|complain\w*|frustrat\w+|manual(?:ly)?|by hand|wast\w+|duplicat\w+|"
        r"twice|missed|unhappy|annoy\w*|overload\w*|nobody knows|no ?one knows|confus\w+|double[- ]book\w*|"
        r"interrupt\w*|for nothing|got nothing|cannot find|takes? (?:too )?(?:hours|days|weeks))\b"
    ),
    out=(
        r"\b(?:do not|don't|does not|doesn't) (?:want|need|plan|require|intend)(?: to(?: have| build| use)?)? "
        r"(?P<what>[^;.,]+?)(?=,? and (?:nobody|no|we|it)\b|[;.,]|$)|(?P<what2>[^;,.]+?) (?:is|"
        r"are) (?:explicitly )?(?:out of scope|not (?:part of|in scope|needed|required|included|"
        r"planned|wanted))\b|\b(?:out of scope|excluded|not included|not part of (?:it|this|"
        r"the project))\b(?: (?:is|are))?"
        r"[: ]+(?P<what3>[^;.]+)|\bno need (?:for|of) (?P<what4>[^;.]+)|\b(?P<what5>nobody (?:pays|needs|wants|"
        r"uses) [^;.]+)"
        r"|^no (?P<what6>[^;.:]+?)(?: (?:is|are) (?:needed|wanted|planned|required))?$"
    ),
    later=(
        r"\b(?:later (?:phase|version|on)|phase (?:2|two)|second phase|version 2|not (?:in|for) the first|"
        r"not for now|next year)\b"
    ),
    negative=r"\b(?:not|never|no|nobody|none|without|cannot)\b|n't\b",
    opens=(
        r"\b(?:maybe|perhaps|might|not sure|unsure|unclear|unknown|tbd|to be (?:decided|defined|confirmed)|"
        r"open question|"
        r"(?:do not|don't) know|depends on|possibly|probably|somehow|worr(?:y|ied)|afraid|concern(?:ed)?|risk\w*|"
        r"fears?|"
        r"unreliable|undecided|or so)\b|\?\s*$"
    ),
    today=r"\b(?:today|currently|at the moment|right now|at present|last (?:year|summer|winter|spring|week|month)|"
    r"this (?:spring|summer|autumn|winter|year)|so far|since last)\b",
    conditional=r"^(?P<cond>(?:if|when|whenever|once|as soon as|while|after|before)\b[^,]+),\s*(?:then )?(?P<rest>.+)$",
    addressed=(
        r"\b(?:ignore (?:\w+ ){0,3}(?:instructions?|rules|above)|(?:you are|as) an? (?:ai|assistant|language model|"
        r"reviewer)|"
        r"system prompt|approve (?:this|the) (?:document|draft|brief)|(?:set|give|make) (?:the )?verdict|"
        r"(?:output|reply|respond) (?:only )?(?:with|in) (?:json|xml|markdown))\b"
    ),
    decides=(
        r"^(?P<who>[^,]{2,60}?) (?P<act>(?:decides?|approves?|is responsible for|are responsible for|signs? off|"
        r"owns?) .+)$"
    ),
    personal=_PERSONAL,
    own_verbs=(
        r"^(?:show|list|display|export|import|print|send|notify|e-?mail|remind|inform|alert|warn|store|save|keep|record|"
        r"calculate|count|check|report|delete|archive|generate|produce|collect|update|filter|track|monitor)\b"
    ),
    read_verbs=(
        r"^(?:see|view|show|list|search|find|check|look|track|read|compare|print|download|know|browse|monitor|filter|"
        r"display|export|review|get|receive)\b"
    ),
    write_verbs=(
        r"^(?:order|book|enter|add|create|register|choose|upload|submit|record|cancel|change|edit|reserve|apply|sign|"
        r"approve|decide|offer|assign|delete|move|describe|save|store|fill|import|update|pick|select|request|return|confirm|pay|"
        r"mark|"
        r"report|ask|post|write|note|plan|schedule|manage|keep)\b"
    ),
    send_verbs=(
        r"^(?:(?:get|receive|have) (?:[\w-]+ ){0,3}?(?:confirmation|message|e-?mail|reminder|notification|sms)|"
        r"send|notify|e-?mail|remind|inform|alert|warn|call|message|tell)\b"
    ),
    head_start=r"^(?:what|how|why|who|when|where)\b",
    cap=r"\b(?:never|must not|not) (?:\w+ ){1,3}?(?:more than|over|exceed)\b|\bnot exceed\b",
    section_today=(
        r"\b(?:today|current(?:ly)?|situation|background|problems?|as is|how it works|status quo|about us|"
        r"context)\b"
    ),
    section_want=(
        r"\b(?:want|goals?|aims?|objectives?|requirements?|features?|functions?|agreed|wish(?:es)?|needs?|scope|"
        r"should do|user stories|must haves?|nice to have|ideas?|what it does|deliverables?)\b"
    ),
    section_limits=(
        r"\b(?:respect|constraints?|limits?|conditions?|rules|budget|deadlines?|timeline|non-functional|"
        r"restrictions?)\b"
    ),
    section_out=r"\b(?:out of scope|not (?:in|part|want|need|included)|excluded?|non-goals?|won't)\b",
    section_people=r"^(?:present|participants|attendees|attending|people|team|stakeholders|contacts?)\b",
    user_count=(
        rf"{_NUM}(?: \w+)? (?:users?|customers?|people|patients?|members?|visitors?|orders?|bookings?|households?|"
        rf"places|"
        r"deliver(?:y|ies)|bicycles|requests?|students?|employees?|staff|drivers?|volunteers?|calls?|cases?|"
        r"tickets?)\b|"
        rf"{_NUM}[\w -]{{1,30}} (?:a|per|each|every) (?:day|week|month|hour|year)\b"
    ),
    hosting=r"\b(?:host(?:ed|ing)?|cloud|on[- ]premises?|own servers?|data cent(?:re|er)|in the EU|AWS|Azure)\b",
    we=r"\b(?:we|our|us|i|my)\b",
    qualities=MappingProxyType(
        {
            "security": r"\b(?:secur\w+|password\w*|privacy|gdpr|encrypt\w*|confidential\w*|delet\w+|eras\w+|in the EU|"
            r"personal data|data protection|access rights?|permissions?)\b",
            "performance": rf"\b(?:fast|faster|quick(?:ly)?|slow|response times?|concurrent(?:ly)?|at the same time|"
            rf"(?:within|under|in) {_NUM} (?:milli)?seconds?)\b",
            "reliability": r"\b(?:availab\w+|uptime|back-?ups?|24/7|outages?|reliab\w+|offline|no (?:network|internet|"
            r"connection)|around the clock|must not (?:fail|crash)|restor\w+)\b",
            "usability": (
                r"\b(?:eas(?:y|ily)|simple|intuitive|user[- ]friendly|taps?|clicks?|accessib\w+|wcag|languages?|"
                r"speak|elderly|retired|gloves|greasy|large (?:print|letters|buttons)|understandable)\b"
            ),
            "compatibility": (
                r"\b(?:smartphones?|mobile|tablets?|browsers?|android|ios|iphones?|windows|own (?:tele)?phones?)\b"
            ),
            "maintainability": r"\b(?:maintain\w*|extend\w*|extensib\w*|change it ourselves)\b",
        }
    ),
    people=MappingProxyType(
        {
            "served": r"customers?|clients|patients?|guests?|members?|users?|visitors?|students?|pupils?|parents?|"
            r"children|citizens?|residents?|tenants?|households?|passengers?|readers?|subscribers?|buyers?|shoppers?|"
            r"applicants?|owners?|people|beneficiaries|families",
            "staff": r"staff|employees?|bakers?|mechanics?|apprentices?|front desk|receptionists?|"
            r"drivers?|technicians?|volunteers?|clerks?|cashiers?|waiters?|cooks?|"
            r"chefs?|couriers?|sales ?(?:people|persons?|reps?|team)|agents?|operators?|workers?|"
            r"librarians?|trainers?|coaches|bookkeepers?|dispatchers?|planners?|editors?|analysts?|inspectors?|"
            r"caretakers?|farmers?|gardeners?|warehouse|team",
            "profession": (
                r"doctors?|nurses?|therapists?|physiotherapists?|physicians?|teachers?|engineers?|developers?|"
                r"accountants?|lawyers?|architects?|pharmacists?|psychologists?|researchers?|scientists?"
            ),
            "lead": (
                r"managers?|management|directors?|bosses|boss|chair|owner of the (?:shop|company)|board|"
                r"heads? of \w+|"
                r"treasurer|supervisors?|administrators?|admins?|product owners?|ceo|cfo|cto|principal|foreman|"
                r"coordinators?"
            ),
            "outside": r"suppliers?|partners?|vendors?|contractors?|shops|schools|shelters|carriers?|agenc(?:y|ies)|"
            r"insurers?|insurance companies|banks?|foundation|sponsors?|donors?|landlords?",
            "authority": r"authorit(?:y|ies)|city|council|municipality|government|tax office|regulators?|auditors?|"
            r"ministry|inspectorate",
            "technical": r"it department|it team|data protection officer|system administrators?|it staff|support team",
        }
    ),
    modifiers=(
        r"shop|kitchen|office|sales|support|field|branch|project|store|warehouse|delivery|service|front|night|school|"
        r"hospital|clinic|key|account|product|regional|local|external|internal|senior|junior|referring|registered|new"
    ),
    entities=MappingProxyType(
        {
            "Order": r"\borders?\b(?! to\b)",
            "Booking": r"\bbook(?:s|ed|ings?)?\b",
            "Appointment": r"\bappointments?\b",
            "Reservation": r"\breservations?\b",
            "Customer": r"\bcustomers?\b",
            "Patient": r"\bpatients?\b",
            "Member": r"\bmembers?\b",
            "Household": r"\bhouseholds?\b",
            "Invoice": r"\binvoices?\b",
            "Payment": r"\bpayments?\b",
            "Product": r"\bproducts?\b",
            "Delivery": r"\bdeliver(?:y|ies)\b",
            "Round": r"\brounds?\b",
            "Stop": r"\bstops\b",
            "Report": r"\breports\b|\breport (?:by|per|of)\b",
            "Waiting list": r"\bwaiting list\b",
            "Ticket": r"\btickets?\b",
            "Task": r"\btasks?\b",
            "Contract": r"\bcontracts?\b",
            "Document": r"\bdocuments?\b",
            "Course": r"\bcourses?\b",
            "Event": r"\bevents?\b",
            "Vehicle": r"\b(?:vehicles?|vans?|cars?)\b",
            "Repair": r"\brepairs?\b",
            "Message": r"\b(?:messages?|reminders?|notifications?)\b",
            "Account": r"\baccounts?\b",
        }
    ),
    persons=frozenset({"Customer", "Patient", "Member", "Household"}),
    attributes=(
        r"\b(?:(?:pickup|delivery|drop-off|start|end|due|opening|arrival|appointment) (?:time|date|day)s?|"
        r"(?:telephone|phone|order|customer|serial|confirmation) numbers?|e-?mail address(?:es)?|address(?:es)?|names?|"
        r"contact (?:details|data)|dates? of birth|prices?|amounts?|quantit(?:y|ies)|status|photos?|comments?|"
        r"allerg(?:y|ies)|children's ages|kilograms|diagnos[ei]s|district)\b"
    ),
)
