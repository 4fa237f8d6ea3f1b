"""German texts of the parts and decisions a design may have."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from combine.drafter.frame_types import ComponentFrame, DecisionFrame

GERMAN_COMPONENTS: Mapping[str, ComponentFrame] = MappingProxyType(
    {
        "pages": ComponentFrame(
            "Seiten",
            "Zeigt den Menschen, was sie sehen dürfen, nimmt ihre Eingaben an und sagt, was daraus wurde.",
            ("Seiten für jede Personengruppe",),
            ("rules", "store"),
        ),
        "rules": ComponentFrame(
            "Grenzen",
            "Entscheidet beim Schreiben, ob etwas unter den Grenzen noch zulässig ist.",
            ("darf dies hinzukommen",),
            ("store",),
        ),
        "messages": ComponentFrame(
            "Nachrichten",
            "Schickt Fälliges einmal an die richtige Person und hält fest, was nicht zustellbar war.",
            ("Nachricht senden",),
            ("store",),
        ),
        "reports": ComponentFrame(
            "Auswertungen",
            "Liest die Einträge und stellt Zahlen und Listen zusammen.",
            ("Auswertung auf Anfrage",),
            ("store",),
        ),
        "gateway": ComponentFrame(
            "Übergang",
            "Spricht als einziger Teil mit anderen Systemen und hält deren Form und Ausfälle vom Rest fern.",
            ("Austausch mit anderen Systemen",),
            ("store",),
        ),
        "store": ComponentFrame(
            "Einträge",
            "Hält alle Einträge einmal, mit den Regeln zu Ort, Zugriff und Löschung, die für sie gelten.",
            ("Einträge lesen und schreiben",),
        ),
    }
)

GERMAN_DECISIONS: Mapping[str, DecisionFrame] = MappingProxyType(
    {
        "one": DecisionFrame(
            "Eine Anwendung mit einer Datenbank",
            "Eine einzige Anwendung, innen in die genannten Teile gegliedert, auf einer einzigen Datenbank.",
            "Nichts Zitiertes verlangt Teile, die getrennt laufen oder wachsen, und jeder weitere Teil müsste "
            "betrieben und "
            "bezahlt werden ({ids}).",
            (
                "Mehrere Dienste: mehr zu betreiben und abzustimmen, ohne dass eine Anforderung es braucht.",
                "Ein fertiges Produkt: hier nicht geprüft, vor dem Bauen einen Blick wert.",
            ),
            (
                "Nur eines ist zu installieren, zu sichern und zu beobachten.",
                "Muss ein Teil später allein wachsen, ist er entlang der Teile herauszulösen.",
            ),
        ),
        "limits": DecisionFrame(
            "Grenzen werden beim Schreiben geprüft",
            "Prüfen und Schreiben geschehen in einer Transaktion der Datenbank.",
            "Zwei gleichzeitige Anfragen dürfen nicht beide den letzten Platz bekommen ({ids}).",
            (
                "Nur auf der Seite prüfen: zwei könnten zugleich durchkommen.",
                "Hinterher von Hand prüfen: dann ist schon etwas versprochen.",
            ),
            ("Eine Grenze hält auch bei gleichzeitigem Gebrauch.", "Ohne Datenbank wird nichts angenommen."),
        ),
        "data": DecisionFrame(
            "Regeln zu Daten gelten an einer Stelle",
            "Nur der Teil für Einträge speichert Daten; Ort, Zugriff und Löschung werden dort umgesetzt.",
            "Eine Regel, die überall gelten muss, ist dort am sichersten, wo alles vorbeikommt ({ids}).",
            (
                "Jeder Teil hält eigene Kopien: jede Regel müsste überall gelten.",
                "Löschung und Zugriff von Hand: hängt davon ab, dass jemand daran denkt.",
            ),
            (
                "Eine Stelle, an der sich die Einhaltung zeigen lässt.",
                "Sicherungen und Ausfuhren folgen denselben Regeln.",
            ),
        ),
        "gateway": DecisionFrame(
            "Andere Systeme bleiben hinter einem Übergang",
            "Jeder Austausch mit anderen Systemen läuft über einen Teil; sie bleiben, wie sie sind.",
            "Der Auftrag nennt Systeme außerhalb dieses Vorhabens, die sich nach eigenem Takt ändern ({ids}).",
            (
                "Direkter Zugriff aus jedem Teil: jede Änderung draußen wäre überall zu spüren.",
                "Abtippen von Hand: keine Technik, aber Arbeit und Fehler bleiben.",
            ),
            (
                "Ein Ausfall draußen hält den Rest nicht auf.",
                "Form und Richtung jedes Austauschs sind noch zu vereinbaren.",
            ),
        ),
    }
)
