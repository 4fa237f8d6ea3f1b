"""German cue words."""

from __future__ import annotations

from types import MappingProxyType

from combine.drafter.words import Lexicon

_NUM = (
    r"(?:\d[\d.,]*\d|\d|\b(?:zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|"
    r"zwanzig|dreißig|vierzig|fünfzig|hundert|tausend)\b)"
)
_NOT_UNIT = (
    r"(?!(?:in|im|am|an|auf|bis|von|vom|der|die|das|den|dem|und|oder|zu|zum|zur|für|mit|aus|pro|je|jede[nrs]?|"
    r"nach|vor|wenn|dass|weil|ist|sind|werden|haben|hat|muss|soll|kann|nicht|nur|es|sie|wir|bei|um)\b)"
)
_UNIT = rf"(?:\s*%|[ -]{_NOT_UNIT}[A-Za-z\u00c0-\u024f][\w-]*)"
_RATE = (
    r"(?: (?:pro|je) (?:Sekunde|Minute|Stunde|Tag|Woche|Monat|Quartal|Jahr|Person)| (?:am|in der|im) "
    r"(?:Tag|Woche|Monat|Jahr)| täglich| wöchentlich| monatlich)?"
)
_BOUND = (
    r"(?:höchstens|mindestens|maximal|nicht mehr als|mehr als|weniger als|unter|über|bis zu|etwa|rund|"
    r"ungefähr|ca\.|circa|knapp|fast|nur|innerhalb von)"
)
_MONTH = r"(?:Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember)"
_DATE = (
    rf"(?:\b\d{{1,2}}\. ?{_MONTH}\b(?: \d{{4}})?|\b{_MONTH}\b(?: \d{{4}})?|\b\d{{1,2}}\.\d{{1,2}}\.(?:\d{{2,4}})?|"
    r"\b\d{4}-\d\d-\d\d\b|\bQ[1-4](?: \d{4})?\b|\b(?:Frühjahr|Frühling|Sommer|Herbst|Winter) \d{4}\b|"
    r"\b(?:Jahresende|Quartalsende|Monatsende|Weihnachten|Ostern)\b|\bEnde (?:des Jahres|\d{4})\b|"
    r"\bnächste[sn]? (?:Jahr|Monat|Quartal|Saison)\b)"
)
_MONEY = (
    r"(?:(?:[\u20ac$]|\b(?:EUR|CHF|USD)\b) ?\d[\d.,]*|\b\d[\d.,]*(?: ?(?:Tsd\.?|Mio\.?|Millionen))? ?"
    r"(?:[\u20ac$]|(?:Euro|Franken|EUR|CHF|USD)\b))"
)
_PERSONAL = (
    r"\b(?:personenbezogene\w*|persönliche\w* Daten|Namen?|Adressen?|Anschrift(?:en)?|Geburtsdat\w+|"
    r"Telefonnummern?|E-Mail-Adressen?|Kontaktdaten|Allergien?|Gesundheitsdaten|Diagnosen?|"
    r"(?:Kunden|Patienten|Mitglieder|Nutzer)daten)\b"
)

_COMMON = (
    "der die das und oder in im zu den dem des mit von vom für auf ist sind war ein eine einen einem einer wir "
    "unser unsere unseren es dass als an am bei aus sie er ich nicht auch sich werden wird hat haben kann soll "
    "sollen muss müssen wenn wie so nur noch nach vor bis um zum zur man da dann aber mehr"
)

GERMAN = Lexicon(
    language="de",
    common=frozenset(_COMMON.split()),
    number=_NUM,
    measure=rf"(?:{_BOUND} )?{_NUM}{_UNIT}{_RATE}(?: (?:nach|vor) (?:der |dem )?[A-Z]\w+)?",
    limit=(
        rf"(?P<what>\b(?:höchstens|maximal|nicht mehr als|bis zu|max\.?) {_NUM}(?! (?:Minute|Stunde|Tag|Woche|"
        rf"Monat|Jahr|Euro|Prozent)){_UNIT}(?:{_RATE}))"
    ),
    money=_MONEY,
    date=_DATE,
    deadline=(
        r"\b(?:live|fertig\w*|einsatzbereit|betriebsbereit|laufen|starte[nt]|Start|Einführung|eingeführt|Termin"
        r"|Frist|spätestens|Abgabe|in Betrieb|online (?:sein|gehen)|beginnt|nutzbar|zur Verfügung stehen|"
        r"bis (?:zum|Ende|Anfang|Mitte))\b"
    ),
    deadline_span=(
        r"\b(?:in|innerhalb von|binnen) (?:\d+|zwei|drei|vier|fünf|sechs|acht|neun|zehn|zwölf) "
        r"(?:Wochen|Monaten|Jahren)\b"
    ),
    budget=r"(?:\b(?:Budget\w*|Etat|ausgeben|investier\w+|Fördermittel|Förderung|Kostenrahmen|zur Verfügung"
    r"|bezahlen können|Investition\w*|Projektkosten)\b|budget\b)",
    no_money=r"\b(?:kein (?:Geld|Budget)|ohne (?:Geld|Budget))\b",
    cost=r"\b(?:Kosten|kostet|teuer|günstig|billig|Preis\w*|bezahlbar)\b",
    law=(
        r"\b(?:DSGVO|Datenschutz\w*|Gesetz\w*|gesetzlich\w*|rechtlich\w*|Vorschrift\w*|Verordnung\w*|Richtlinie\w*|"
        r"personenbezogen\w*|Aufbewahrungs\w+|gelöscht|löschen|barrierefrei\w*|BITV|Zertifi\w+|revisionssicher|"
        r"GoBD|in der EU|EU-Server\w*|innerhalb der EU|in Deutschland (?:bleiben|liegen|gespeichert))\b"
    ),
    place=r"\b(?:in (?:der|Deutschland|Österreich|Europa)(?: EU| Schweiz)?|innerhalb (?:der EU|Deutschlands))\b",
    erase=r"\b(?:gelöscht|löschen|Löschung|Aufbewahrungs\w+)\b",
    capacity=rf"\b(?:höchstens|maximal|nicht mehr als|nur|bis zu|mit) {_NUM}|^\W*{_NUM} ",
    system=(
        r"\b(?:bestehende\w*|vorhandene\w*|bisherige\w*|Altsystem\w*|Kassensystem|Warenwirtschaft\w*|ERP|CRM|"
        r"Tabellen?|Server|Datenbank\w*|Schnittstellen?|API|WLAN|Internet|offline|Tablets?|Smartphones?|Browser)\b"
    ),
    exchange=(
        r"\b(?:Schnittstelle (?:zu|zum|zur|mit)|Anbindung an|angebunden an|verbunden mit|Export (?:nach|zu|an|in)|"
        r"Import (?:aus|von)|importiert aus|exportiert nach|Übergabe an|übergeben an|übernommen aus) "
        r"(?:die |das |den |der |dem |unsere?[nms]? )?(?P<system>(?:[\w-]+)?(?:system|software|register|portal|"
        r"buchhaltung|ERP|CRM|warenwirtschaft|kasse))\b(?:,? (?P<name>(?-i:[A-Z][\w-]+)))?"
    ),
    products=(
        r"\b(?:SAP|Excel|DATEV|Outlook|Google (?:Kalender|Maps|Drive)|Salesforce|WhatsApp|Slack|Teams|Stripe|PayPal|"
        r"Shopify|WooCommerce|WordPress|Microsoft 365|SharePoint|Active Directory|Jira|Lexware|Odoo|Dynamics|"
        r"Doctolib)\b"
    ),
    goal=(
        r"\b(?:wir (?:wollen|möchten|wünschen|brauchen|benötigen|suchen|planen)|ich (?:möchte|will|"
        r"brauche)|wünschen wir|möchten wir|wollen wir|Ziele?|Zweck|Vision|Wunsch)\b"
    ),
    success=r"\b(?:Erfolg|erfolgreich|gelungen)\b[^,:;]*?(?:,? wenn|:) ?(?P<rest>.+)$",
    need=(
        r"\b(?:muss|müssen|soll|sollen|sollte[n]?|möchten?|wollen|brauch(?:t|en)|benötig(?:t|en)|"
        r"ist zu|sind zu|erforderlich|nötig|notwendig)\b"
    ),
    strong=r"\b(?:muss|müssen|zwingend|unbedingt|erforderlich|notwendig|niemals|unverzichtbar|brauch(?:t|en))\b",
    weak=r"\b(?:könnte[n]?|wäre schön|wünschenswert|optional|idealerweise|wenn möglich|"
    r"falls möglich|irgendwann|gern auch)\b",
    problem=(
        r"\b(?:verlier\w+|verloren|vergess\w+|Probleme?|zu (?:langsam|lange?|viele?|spät|oft|teuer)|viel zu|Fehler\w*|"
        r"falsch|Chaos|chaotisch|beschwer\w+|Beschwerden|frustrier\w+|manuell|von Hand|händisch|verschwend\w+|"
        r"doppelt\w*|verpass\w+|unzufrieden|nervt|überlast\w*|niemand weiß|umständlich|mühsam|"
        r"unübersichtlich|geht verloren|gehen verloren|umsonst)\b"
    ),
    out=(
        r"\b(?:wir )?(?:wollen|brauchen|benötigen|planen|möchten)(?: wir)? (?P<what>kein\w* [^;.,]+)"
        r"|(?P<what2>[^;,.]+?) (?:ist|sind|gehören|gehört|wird|werden) (?:ausdrücklich )?nicht "
        r"(?:Teil|Bestandteil|vorgesehen|geplant|nötig|notwendig|gewünscht|dazu|benötigt|gebraucht)"
        r"|\bnicht (?:im Umfang|enthalten|Teil des Projekts|Bestandteil)\b[: ]+(?P<what3>[^;.]+)"
        r"|^(?P<what4>keine?\w* [^;.,]+?)(?: (?:gewünscht|nötig|geplant|vorgesehen))?$"
        r"|\bverzichten (?:wir )?auf (?P<what5>[^;.,]+)"
    ),
    later=r"\b(?:spätere?n? (?:Phase|Version|Ausbaustufe)|Phase 2|zweite[nr]? (?:Phase|Stufe|Schritt)|"
    r"nicht in der ersten|vorerst nicht|später einmal)\b",
    negative=r"\b(?:nicht|nie|niemals|kein\w*|niemand|ohne)\b",
    opens=(
        r"\b(?:vielleicht|eventuell|evtl\.?|unklar|unsicher|ungewiss|nicht sicher|wissen (?:wir )?(?:noch )?nicht|"
        r"noch offen|zu klären|hängt davon ab|möglicherweise|wahrscheinlich|vermutlich|irgendwie|"
        r"befürcht\w+|Sorgen?|Risik\w+|Angst|Bedenken|unzuverlässig)\b|\?\s*$"
    ),
    today=(
        r"\b(?:heute|derzeit|zurzeit|aktuell|momentan|im Moment|bisher|bislang|letzte[ns] (?:Jahr|Sommer|Winter|"
        r"Woche|"
        r"Monat)|letztes Jahr|seit letztem)\b"
    ),
    conditional=r"^(?P<cond>(?:wenn|falls|sobald|während|nachdem|bevor)\b[^,]+),\s*(?:dann )?(?P<rest>.+)$",
    addressed=(
        r"\b(?:ignorier\w* (?:\w+ ){0,3}(?:Anweisungen|Regeln|Vorgaben)|du bist (?:ein|eine) (?:KI|Assistent\w*|"
        r"Sprachmodell)|genehmig\w* (?:dieses|das) (?:Dokument|Papier)|antworte nur (?:mit|in))\b"
    ),
    decides=r"^(?P<who>[^,]{2,60}?) (?P<act>(?:entscheidet|entscheiden|genehmigt|genehmigen|verantwortet) .+)$",
    personal=_PERSONAL,
    own_verbs=r"^(?!)",
    read_verbs=r"\b(?:sehen|einsehen|anzeigen|ansehen|suchen|finden|prüfen|lesen|vergleichen|drucken|herunterladen|"
    r"abrufen|filtern|auswerten|erhalten|bekommen|exportieren|verfolgen)(?: können)?$",
    write_verbs=r"\b(?:bestellen|buchen|eintragen|erfassen|anlegen|registrieren|wählen|auswählen|hochladen|"
    r"stornieren|ändern|bearbeiten|reservieren|beantragen|unterschreiben|freigeben|zuweisen|löschen|"
    r"verschieben|absagen|speichern|importieren|aktualisieren|anfragen|bestätigen|melden|eingeben|verwalten|"
    r"planen|vereinbaren)(?: können)?$",
    send_verbs=r"\b(?:senden|schicken|verschicken|benachrichtigen|erinnern|informieren|warnen|melden)(?: können)?$",
    head_start=r"^(?:was|wie|warum|wer|wann|wo)\b",
    cap=r"\b(?:nie|niemals|nicht|keinesfalls) (?:\w+ ){0,3}?(?:mehr als|über)\b|\bnicht überschreiten\b",
    section_today=r"\b(?:heute|Ausgangslage|Ist-?Zustand|Situation|Hintergrund|Problem\w*|bisher|Über uns|Kontext)\b",
    section_want=r"(?:\b(?:wünschen|wollen|Ziele?|Funktionen|Wunsch|Wünsche|Bedarf|Soll-?Zustand|vereinbart|"
    r"Umfang|Ideen|brauchen)\b|anforderungen\b)",
    section_limits=r"(?:\b(?:Vorgaben|Grenzen|beachten|Budget|Fristen|Termine|Zeitplan|Regeln)\b|bedingungen\b)",
    section_out=(
        r"\b(?:nicht (?:im Umfang|Teil|enthalten|gewünscht)|Abgrenzung|außerhalb|ausgeschlossen|Nicht-?Ziele)\b"
    ),
    section_people=r"^(?:anwesend|Teilnehmer\w*|Beteiligte|Ansprechpartner\w*|Team)\b",
    user_count=(
        rf"{_NUM}(?: \w+)? (?:Nutzer\w*|Kund\w+|Personen|Patient\w+|Mitglieder\w*|Besucher\w*|Bestellungen|"
        rf"Buchungen|Haushalte|"
        r"Lieferungen|Anfragen|Schüler\w*|Mitarbeit\w+|Fahrer\w*|Anrufe|Fälle|Termine|Aufträge)\b|"
        rf"{_NUM}[\w -]{{1,30}} (?:pro|am|je|in der|im) (?:Tag|Woche|Monat|Stunde|Jahr)\b"
    ),
    hosting=r"\b(?:Hosting|gehostet|Cloud|eigene[rn]? Server\w*|Rechenzentrum|in der EU|AWS|Azure|on[- ]premises?)\b",
    we=r"\b(?:wir|unser\w*|uns|ich|mein\w*)\b",
    qualities=MappingProxyType(
        {
            "security": r"\b(?:sicher\w*|Passwort\w*|Datenschutz\w*|DSGVO|verschlüssel\w*|vertraulich\w*|gelöscht|"
            r"löschen|in der EU|Zugriffsrechte?|Berechtigung\w*)\b",
            "performance": rf"\b(?:schnell\w*|langsam|Antwortzeit\w*|gleichzeitig|(?:in|unter|innerhalb von) {_NUM} "
            r"(?:Milli)?[Ss]ekunden?)\b",
            "reliability": r"\b(?:verfügbar\w*|Ausfall\w*|ausfäll\w*|Datensicherung\w*|Backups?|rund um die Uhr|"
            r"zuverlässig\w*|offline|ohne (?:Netz|Internet)|wiederherstell\w*)\b",
            "usability": r"\b(?:einfach\w*|intuitiv\w*|benutzerfreundlich\w*|verständlich\w*|barrierefrei\w*|Klicks?|"
            r"Sprachen?|sprechen|ältere\w*|Handschuhe\w*|große Schrift)\b",
            "compatibility": r"\b(?:Smartphones?|mobil\w*|Handys?|Tablets?|Browser\w*|Android|iOS|iPhones?|Windows)\b",
            "maintainability": r"\b(?:wartbar\w*|erweiter\w*|selbst anpassen)\b",
        }
    ),
    people=MappingProxyType(
        {
            "served": r"Kund(?:e|en|innen|in)\b(?: und Kund\w+)?|Patient(?:en|innen|in)?|Gäste|Gast|Mitglieder|"
            r"Mitglied|Nutzer(?:innen|n)?|Benutzer(?:innen|n)?|Besucher(?:innen|n)?|Schüler(?:innen|n)?|Eltern|Kinder|"
            r"Bürger(?:innen|n)?|Mieter(?:innen|n)?|Haushalte|Fahrgäste|Antragsteller(?:innen)?|Familien",
            "staff": r"\w*[Mm]itarbeiter(?:innen|n|in)?|Mitarbeitende[n]?|\w*[Aa]ngestellte[n]?|Bäcker(?:innen|n)?|"
            r"Mechaniker(?:innen|n)?|Auszubildende[rn]?|Empfang|Pfleger(?:innen|n)?|Pflegekräfte[n]?|"
            r""
            r"\w*[Ff]ahrer(?:innen|n)?|Techniker(?:innen|n)?|Monteure[n]?|Ehrenamtliche[n]?|Freiwillige[n]?|"
            r"Verkäufer(?:innen|n)?|Disponent(?:en|innen)|Sachbearbeiter(?:innen|n)?|"
            r"Personal|Belegschaft|Hausmeister|Buchhaltung|Vertrieb",
            "profession": r"\w*Ärzt(?:en|innen|in|e)|\w*[Aa]rzt|Therapeut(?:en|innen)|Lehrer(?:innen|n)?|"
            r"Lehrkräfte[n]?|Ingenieur(?:e|innen)|Entwickler(?:innen|n)?|Anwält(?:e|innen)|Apotheker(?:innen|n)?",
            "lead": r"\w*[Ll]eiter(?:innen|in|n)?|Leitung|Geschäftsführ(?:ung|er|erin)|Vorstand|Chef(?:in)?|"
            r"Inhaber(?:in)?|Vorsitzende[rn]?|Schatzmeister(?:in)?|Administrator(?:en|innen)?|Direktor(?:in)?",
            "outside": r"Lieferanten|Partner|Dienstleister|Läden|Schulen|Stiftung|Sponsoren|Spender(?:innen)?|Banken|"
            r"Versicherung(?:en)?|Krankenkassen?|Steuerberater(?:in)?",
            "authority": r"Behörden?|Stadt|Gemeinde|Finanzamt|Landkreis|Ministerium|Aufsicht\w*",
            "technical": r"IT-Abteilung|EDV|Datenschutzbeauftragte[rn]?|IT-Team",
        }
    ),
    modifiers=r"neue|externe|interne|registrierte",
    entities=MappingProxyType(
        {
            "Bestellung": r"\bBestellung(?:en)?\b",
            "Buchung": r"\bBuchung(?:en)?\b",
            "Termin": r"\bTermine?[ns]?\b",
            "Reservierung": r"\bReservierung(?:en)?\b",
            "Kunde": r"\bKund(?:e|en|innen)\b",
            "Patient": r"\bPatient(?:en|innen)?\b",
            "Mitglied": r"\bMitglied(?:er|ern)?\b",
            "Rechnung": r"\bRechnung(?:en)?\b",
            "Zahlung": r"\bZahlung(?:en)?\b",
            "Produkt": r"\bProdukte?[ns]?\b",
            "Lieferung": r"\bLieferung(?:en)?\b",
            "Auftrag": r"\bAuftr(?:ag|äge[n]?)\b",
            "Bericht": r"\bBerichte?[ns]?\b",
            "Warteliste": r"\bWartelisten?\b",
            "Dokument": r"\bDokumente?[ns]?\b",
            "Vertrag": r"\bVertr(?:ag|äge[n]?)\b",
            "Kurs": r"\bKurse?[ns]?\b",
            "Veranstaltung": r"\bVeranstaltung(?:en)?\b",
            "Fahrzeug": r"\bFahrzeuge?[ns]?\b",
            "Anfrage": r"\bAnfragen?\b",
            "Antrag": r"\bAntr(?:ag|äge[n]?)\b",
        }
    ),
    persons=frozenset({"Kunde", "Patient", "Mitglied"}),
    attributes=(
        r"\b(?:Abhol(?:zeit|termin)(?:en)?|Liefer(?:zeit|termin)|Telefonnummern?|E-Mail-Adressen?|Adressen?|"
        r"Anschrift(?:en)?|Namen?|Kontaktdaten|Geburtsdat\w+|Preise?|Betrag|Menge[n]?|Status|Fotos?|Bemerkungen?|"
        r"Allergien|Diagnosen?)\b"
    ),
)
