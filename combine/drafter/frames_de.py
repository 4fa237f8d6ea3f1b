"""German frames."""

from __future__ import annotations

from types import MappingProxyType

from combine.drafter.design_de import GERMAN_COMPONENTS, GERMAN_DECISIONS
from combine.drafter.frame_types import Frames, QuestionFrame

GERMAN_FRAMES = Frames(
    label=(
        "Dieses Dokument wurde offline nach festen Regeln entworfen, ohne Sprachmodell; es enthält, was der "
        "Auftrag wörtlich sagt."
    ),
    label_reason="Regeln lesen Wörter, nicht den Sinn: Vor der Freigabe prüft ein Mensch, ob etwas Mitgemeintes fehlt.",
    requirements_label=(
        "Offline entworfen, ohne Sprachmodell: Wo der Auftrag schweigt, bleibt bei einem Fehlschlag nichts halb "
        "erledigt und "
        "die Person erfährt den Grund."
    ),
    requirements_label_reason=(
        "Die Fehlerfälle der Abnahmekriterien beruhen auf dieser einen Regel; braucht ein Fall ein anderes "
        "Ergebnis, ändert "
        "sich sein Kriterium."
    ),
    architecture_label=(
        "Offline entworfen, ohne Sprachmodell: Der schlichteste Entwurf, eine Anwendung und eine Datenbank, "
        "genügt, bis eine "
        "Anforderung das Gegenteil zeigt."
    ),
    architecture_label_reason=(
        "Keine gefundene Anforderung verlangt mehr; verlangen Last oder andere Systeme es doch, wird die erste "
        "Entscheidung "
        "neu getroffen."
    ),
    unnamed="Projekt ohne Namen",
    end_problem="Dieses Problem aus dem Auftrag ist behoben: „{text}“.",
    figure_met="Der Wert aus dem Auftrag ist erreicht: „{text}“.",
    figure_falls="Nach der Einführung erneut gemessen, hat sich das gebessert: „{text}“.",
    no_measure=(
        "Ob diese Ziele erreicht sind, beurteilt der Auftraggeber durch Augenschein, da kein Wert genannt ist: {ids}."
    ),
    no_measure_reason="Der Auftrag nennt dafür kein Maß; mit einem Wert bekäme jedes ein prüfbares Kriterium.",
    no_deadline="Es gibt keinen festen Termin, zu dem das Ergebnis in Gebrauch sein muss.",
    no_deadline_reason="Der Auftrag nennt keinen; mit einem Termin fiele weg, was bis dahin nicht fertig werden kann.",
    unknown_language="Die Sätze des Auftrags sind wörtlich übernommen; aus dem, was fehlt, ist nichts geschlossen.",
    unknown_language_reason="Die Regeln lesen nur Deutsch und Englisch; ein Sprachmodell liest auch andere Sprachen.",
    client="Auftraggeber („wir“ im Auftrag)",
    client_short="dem Auftraggeber",
    author="Verfasser des Auftrags",
    client_role="gibt die Arbeit in Auftrag und entscheidet offene Punkte",
    roles=MappingProxyType(
        {
            "served": "Menschen, die bedient werden",
            "staff": "Menschen mit der täglichen Arbeit",
            "profession": "Fachleute, die der Auftrag nennt",
            "lead": "Menschen, die leiten oder entscheiden",
            "outside": "Partner von außen",
            "authority": "Stellen, die Regeln setzen oder prüfen",
            "technical": "Menschen, die die Technik betreiben",
        }
    ),
    too_general=frozenset({"partner", "stadt", "personal"}),
    impact=MappingProxyType(
        {
            "budget": "Was mehr kostet, entfällt oder kommt später.",
            "time": "Was bis dahin nicht fertig sein kann, entfällt oder kommt später.",
            "regulatory": "Schließt jede Art aus, Daten zu speichern oder zu zeigen, die dagegen verstößt.",
            "resource": "Das Ergebnis muss mit diesen Menschen und Grenzen auskommen.",
            "technical": "Der Entwurf muss dazu passen, wie es ist.",
        }
    ),
    answered="{question} {answer}.",
    disagree="Diese beiden Aussagen können nicht zugleich gelten: „{first}“ und „{second}“",
    settled="Durch eine Antwort entschieden: allen mitteilen, die den anderen Satz geschrieben oder gelesen haben.",
    settle_conflict="Der Auftraggeber entscheidet, was gilt, bevor etwas gebaut wird, das davon abhängt.",
    held="Bis der Auftraggeber entscheidet, gilt „{first}“ ({one}) und nicht „{second}“ ({other}).",
    conflict_reason="Der Auftrag sagt beides; gilt das andere, ändert sich jeder Punkt, der sich auf das erste beruft.",
    unsettled="„{text}“ ist nicht geklärt; was auf einer falschen Annahme gebaut wird, muss noch einmal gemacht werden",
    left_open=("Noch von niemandem entschieden: {ids}; was auf einer falschen Annahme beruht, muss neu gemacht werden"),
    settle="Der Auftraggeber klärt es, bevor die betroffenen Anforderungen umgesetzt werden.",
    late="Dafür wird nicht alles rechtzeitig fertig: „{text}“",
    drop_first="Zuerst bauen, was Muss ist; Kann und dann Soll warten.",
    beyond="Es wird mehr verlangt, als dies zulässt: „{text}“",
    refuse_early="Im Augenblick der Anfrage ablehnen, nicht erst danach.",
    nothing_else=(
        "Geliefert wird nur, was der Auftrag nennt; Übernahme vorhandener Unterlagen und Schulung gehören nicht dazu."
    ),
    nothing_else_reason="Der Auftrag schließt nichts aus; wird eines davon erwartet, wird es eine eigene Anforderung.",
    nothing_else_line="Übernahme vorhandener Unterlagen, Schulung",
    conflict=QuestionFrame(
        "Der Auftrag sagt „{first}“ und auch „{second}“: Was davon gilt?",
        "Beides lässt sich nicht bauen; jede Anforderung zum anderen Satz entfällt.",
    ),
    first_problem=QuestionFrame(
        "Was davon drückt am meisten und soll zuerst gelöst werden?",
        "Entscheidet, welches Ziel hoch eingestuft und was zuerst gebaut wird.",
    ),
    limit_question=QuestionFrame(
        "Wenn die Grenze „{text}“ erreicht ist, was geschieht mit der nächsten Anfrage?",
        "Entscheidet, ob das System eine andere Zeit anbietet, eine Warteliste führt oder nur ablehnt.",
        "Sie wird mit Grund abgelehnt",
        ("Sie wird mit Grund abgelehnt", "Die nächste freie Zeit wird angeboten", "Sie kommt auf eine Warteliste"),
    ),
    questions=MappingProxyType(
        {
            "functions": QuestionFrame(
                "Was sollen die Menschen mit dem Ergebnis tun können, das heute nicht geht?",
                "Entscheidet die funktionalen Anforderungen: Der Auftrag nennt die Not, aber kaum, was möglich "
                "sein soll.",
                "Es führt eine gemeinsame Liste der genannten Vorgänge, die alle Beteiligten sehen und "
                "fortschreiben können.",
            ),
            "deadline": QuestionFrame(
                "Bis wann muss es in Gebrauch sein?",
                "Entscheidet, wie viel in die erste Fassung passt.",
                "Kein fester Termin",
                (
                    "Innerhalb von drei Monaten",
                    "Innerhalb von sechs Monaten",
                    "Innerhalb eines Jahres",
                    "Kein fester Termin",
                ),
            ),
            "data": QuestionFrame(
                "Was wird über Menschen gespeichert?",
                "Entscheidet, wer was sehen darf, wo es liegen darf und wann es gelöscht wird.",
                "Nur Namen und Kontaktdaten",
                ("Nichts über Menschen", "Nur Namen und Kontaktdaten", "Auch Heikles wie Gesundheit oder Geld"),
            ),
            "budget": QuestionFrame(
                "Gibt es einen Betrag, der einmalig oder im Monat nicht überschritten werden darf?",
                "Entscheidet, ob etwas gekauft, gebaut oder weggelassen wird.",
                "Kein Betrag ist festgelegt; es gilt die kleinste Lösung, die alle Muss-Anforderungen erfüllt.",
            ),
            "volume": QuestionFrame(
                "Wie viele Menschen werden es am stärksten Tag benutzen?",
                "Entscheidet, ob eine kleine Installation genügt.",
                "20 bis 200 Menschen",
                ("Weniger als 20 Menschen", "20 bis 200 Menschen", "200 bis 2.000 Menschen", "Mehr als 2.000 Menschen"),
            ),
        }
    ),
    support="Das System muss dies unterstützen, wie der Auftrag es sagt: „{text}“.",
    provide="Das System muss bereitstellen: {text}",
    enable="Das System muss {who} Folgendes ermöglichen: {text}",
    as_told=(
        (
            "Gegeben alltäglicher Gebrauch, wenn „{text}“ zutrifft, dann verhält sich das System so, wie diese Worte "
            "sagen."
        ),
        (
            "Gegeben es ist nicht möglich, wenn es versucht wird, dann bleibt nichts halb erledigt und die Person "
            "erfährt den Grund."
        ),
    ),
    quoted="„{text}“",
    is_done="es um „{text}“ geht",
    criteria=MappingProxyType(
        {
            "read": (
                "Gegeben passende Einträge, wenn {done}, dann wird gezeigt, was in diesem Augenblick gespeichert ist.",
                (
                    "Gegeben es ist nichts vorhanden, wenn dasselbe versucht wird, dann wird das klar gesagt und "
                    "nichts Veraltetes gezeigt."
                ),
            ),
            "write": (
                "Gegeben vollständige Angaben, wenn {done}, dann wird es einmal gespeichert und bestätigt.",
                (
                    "Gegeben eine Angabe fehlt oder ist nicht zulässig, wenn dasselbe versucht wird, dann wird nichts "
                    "gespeichert und der Grund gezeigt."
                ),
            ),
            "send": (
                "Gegeben der Anlass ist eingetreten, wenn {done}, dann geht es genau einmal an die richtige Person.",
                "Gegeben es ist nicht zustellbar, wenn der Versuch scheitert, dann sieht das jemand, der handeln kann.",
            ),
            "thing": (
                (
                    "Gegeben die erste Fassung, wenn jemand, für den es gedacht ist, „{text}“ sucht, dann ist es da "
                    "und benutzbar."
                ),
                (
                    "Gegeben es ist gestört, wenn jemand es benutzen will, dann wird das gesagt und keine Eingabe geht "
                    "verloren."
                ),
            ),
            "never": (
                "Gegeben üblicher Gebrauch, wenn jemand mit dem System arbeitet, dann gilt: {done}.",
                "Gegeben jemand versucht das Gegenteil, wenn der Versuch geschieht, dann wird er mit Grund abgelehnt.",
            ),
            "other": (
                "Gegeben alles Nötige ist da, wenn {done}, dann gelingt es und das Ergebnis ist zu sehen.",
                (
                    "Gegeben etwas Nötiges fehlt, wenn dasselbe versucht wird, dann bleibt nichts halb erledigt und "
                    "der Grund wird gezeigt."
                ),
            ),
        }
    ),
    limit=(
        "Falls die Grenze „{text}“ erreicht ist, dann darf das System nichts weiter annehmen, was darauf zählt, "
        "und muss das sagen."
    ),
    limit_decided=(
        "Falls die Grenze „{text}“ erreicht ist, dann darf das System nichts weiter annehmen, was darauf zählt; "
        "entschieden wurde: „{answer}“."
    ),
    limit_title="Grenze einhalten: {text}",
    limit_criteria=(
        (
            "Gegeben die Grenze „{text}“ ist erreicht, wenn noch etwas verlangt wird, dann wird es nicht angenommen "
            "und die Person "
            "erfährt es."
        ),
        (
            "Gegeben unter „{text}“ ist noch Platz für eines, wenn zwei Personen im selben Augenblick anfragen, dann "
            "wird genau "
            "eines angenommen."
        ),
    ),
    limit_held="Das System selbst hält die Grenzen ein, die der Auftrag für die Annahme nennt.",
    limit_held_reason=(
        "Der Auftrag nennt Grenzen, aber nicht, wer darauf achtet; tun es Menschen, entfällt die Anforderung."
    ),
    remedy="Das System muss so eingerichtet sein, dass dieses Problem endet: „{text}“.",
    remedy_title="Das Problem aus {ref} beenden",
    remedy_criteria=(
        (
            "Gegeben das System war so lange im täglichen Gebrauch, wie der Auftraggeber festlegt, wenn er nach neuen "
            "Fällen dessen "
            "sucht, was {ref} beschreibt, dann gibt es keine."
        ),
        (
            "Gegeben ein solcher Fall tritt doch ein, wenn ihm nachgegangen wird, dann zeigen die Einträge, was wann "
            "geschah."
        ),
    ),
    serve="Das System muss diesem Ziel dienen: „{text}“.",
    serve_title="{id} erreichen",
    serve_criteria=(
        "Gegeben das System ist in Gebrauch, wenn der Auftraggeber „{text}“ prüft, dann trifft es zu.",
        (
            "Gegeben es trifft nicht zu, wenn die Einträge gelesen werden, dann zeigen sie, seit wann und in welchen "
            "Fällen."
        ),
    ),
    metrics=MappingProxyType(
        {
            "erase": "Zeit bis zur Löschung",
            "place": "Orte von Speicherung und Sicherung",
            "security": "Fälle, in denen gegen den Wortlaut verstoßen wird",
            "performance": "Wartezeit einer Person oder der Wert im Wortlaut",
            "reliability": "Zeit oder Fälle, in denen es nicht zutrifft",
            "usability": "Personen der genannten Gruppe, die ohne Hilfe zurechtkommen",
            "compatibility": "genannte Geräte, auf denen es läuft",
            "maintainability": "Änderungen ohne fremde Hilfe",
            "volume": "Menschen, die es am stärksten Tag ohne spürbares Warten benutzen",
            "data": "Arten von Daten, die über Menschen gespeichert sind",
        }
    ),
    no_target=(
        "Wo eine Eigenschaft ohne Wert verlangt ist, beurteilt der Auftraggeber sie durch Ausprobieren des Ergebnisses."
    ),
    no_target_reason="Der Auftrag nennt keine Zahl dafür; jede Zahl wäre hier erfunden.",
    no_target_line="kein Wert genannt ({id})",
    answered_quality=MappingProxyType(
        {
            "volume": "Das System bedient am stärksten Tag so viele: {text}.",
            "data": "Das System speichert und schützt über Menschen nicht mehr als dies: {text}.",
        }
    ),
    personal="personenbezogen",
    components=GERMAN_COMPONENTS,
    decisions=GERMAN_DECISIONS,
    style="modularer Monolith",
    summary=(
        "Eine Anwendung mit einer Datenbank, gegliedert in: {parts}. Sie trägt {functional} funktionale und "
        "{other} "
        "nichtfunktionale Anforderungen; nichts Zitiertes braucht mehr."
    ),
    summary_outside="Außerhalb unserer Hand: {systems}.",
    person_cue=r"\b(?:können|ermöglichen|bereitstellen)\b",
    message_cue=r"\b(?:senden|sendet|schick\w+|Nachricht\w*|benachrichtig\w+|erinner\w+|E-?Mail\w*|informier\w+|SMS)\b",
    report_cue=r"\b(?:Bericht\w*|Auswertung\w*|auswerten|Statistik\w*|Export\w*|druck\w+)\b",
    web_cue=r"\b(?:online|Web\w*|Browser|Internet|Portal|E-?Mail)\b",
    area_application="Anwendung",
    area_store="Datenhaltung",
    area_hosting="Betrieb",
    stack_web="eine Webanwendung",
    stack_application="eine Anwendung",
    stack_store="eine relationale Datenbank",
    stack_place="ein betreuter Server {place}",
    stack_host="ein betreuter Server ({id})",
    no_host="Ein betreuter Server trägt Anwendung und Datenbank.",
    no_host_reason=(
        "Der Auftrag nennt keinen Ort; mit eigenen Servern werden Betrieb und Sicherung Arbeit des Auftraggebers."
    ),
    data_rules="unter {ids}",
    verdict=(
        "Offline nach festen Regeln berechnet, ohne Sprachmodell: Quellen, Zitate, Abdeckung und Nummern sind "
        "geprüft, der "
        "Sinn ist nicht beurteilt. Befunde: {findings}, davon schwer: {major}. Vor der Freigabe muss ein Mensch alles "
        "lesen."
    ),
    verdict_reason=(
        "Nichts, was Regeln beweisen können, steht dem Fortgang entgegen; was sie nicht beurteilen können, ist "
        "aufgelistet."
    ),
    step_major="{item} entscheiden und {document} anpassen ({id}).",
    step_read="Jemand, der die Arbeit des Auftraggebers kennt, liest die Dokumente gegen den Auftrag.",
    found_conflict=(
        "Zwei Sätze des Auftrags können nicht zugleich gelten: „{first}“ und „{second}“; die Dokumente folgen dem "
        "ersten."
    ),
    mend_conflict="Der Auftraggeber sagt, was gilt; dann ändern sich die Punkte, die sich auf das andere berufen.",
    found_addressed=(
        "Dieser Satz richtet sich an Schreibende oder Prüfende, nicht auf das Produkt, und wurde nicht befolgt: "
        "„{text}“."
    ),
    mend_addressed="Nachfragen, was gemeint war, und den Satz aus dem Auftrag nehmen.",
    found_unused="Kein Punkt benutzt diesen Satz: „{text}“.",
    mend_unused="Einen Punkt ergänzen, der darauf beruht, oder bestätigen, dass nichts daraus folgt.",
    found_background="Diese Sätze benutzt kein Punkt; sie lesen sich wie Hintergrund: {refs}.",
    mend_background="Einmal durchsehen, ob daraus ein Punkt hätte werden müssen.",
    found_assumption="Niemand hat bestätigt, was die Dokumente als wahr annehmen: {ids}.",
    mend_assumption="Der Auftraggeber bestätigt oder ändert jede davon.",
    found_hint="Eine Prüfung weist darauf hin, und es muss nichts bedeuten: {text}.",
    hints=MappingProxyType(
        {
            "number_without_source": "Zahlen, die in den zitierten Texten nicht stehen",
            "many_sources": "Der Punkt nennt viele Quellen; vielleicht ist er mehr als einer",
            "long_quote": "Ein Zitat ist sehr lang",
            "must_on_assumptions": "Ein Muss, das nur auf Annahmen beruht",
            "vague_words": "Vielleicht nicht messbar",
            "few_criteria": "Ein Muss mit einem einzigen Kriterium; fehlt der Fall, in dem es misslingt?",
            "unknown_id_in_text": "Der Text nennt eine Nummer, die es nicht gibt",
            "near_duplicate": "Der Punkt sagt fast dasselbe wie ein anderer",
            "many_musts": "Fast alle funktionalen Anforderungen sind ein Muss",
            "constraint_unused": "Weder Anforderungen noch Architektur berufen sich auf diese Vorgabe",
        }
    ),
    mend_hint="Den Punkt ansehen und entscheiden.",
    sent_back="Der Entwurf kam mit diesen Worten zurück, die noch einzuarbeiten sind: „{text}“.",
    open_finding="Nach der Prüfung noch offen ({where}): {text}.",
    note_reason=(
        "Feste Regeln ohne Sprachmodell können einen Grund festhalten, aber nicht danach umschreiben: das tut ein "
        "Mensch oder ein Modell."
    ),
)
