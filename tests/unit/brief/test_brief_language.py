# ruff: noqa: RUF001
import pytest

from combine.brief.brief import UNKNOWN_LANGUAGE
from combine.brief.language import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("We need a booking system for our sauna, and it must be ready in May.", "en"),
        ("Wir brauchen ein Buchungssystem für die Sauna und das ist nicht alles.", "de"),
        ("Nous avons besoin d'un système pour les clients qui est dans le nuage.", "fr"),
        ("Necesitamos un sistema para los clientes que debe ser como el otro.", "es"),
        ("Abbiamo bisogno di un sistema per la prenotazione che non sia della banca e di altri.", "it"),
        ("Precisamos de um sistema para os clientes, que não deve ser mais caro em maio.", "pt"),
        ("Wij hebben een systeem nodig voor de klanten, het moet niet duur zijn.", "nl"),
        ("予約システムが必要です。", "ja"),
        ("予約 API が必要", "ja"),
        ("我们需要一个预订系统。", "zh"),
        ("예약 시스템이 필요합니다.", "ko"),
        ("שלום עולם", "he"),
        ("ระบบจอง", "th"),
        ("Χρειαζόμαστε ένα σύστημα", "el"),
        (
            "Vi behöver ett system för kunderna som inte är dyrt och som är klart i maj. Det ska vara enkelt att lära.",
            "sv",
        ),
        (
            "Vi har brug for et system til kunderne, som ikke er dyrt og er klar i maj. Det skal være let at bruge.",
            "da",
        ),
        ("Nasza piekarnia chce sprzedawać chleb przez internet, a personel musi widzieć, co jest zamówione.", "pl"),
    ],
)
def test_script_or_small_words_settle_the_language(text, language):
    assert detect_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "",
        "123 !!",
        "\ud800",
        "CRM v2",
        "Vrem un site de pescuit",
        "نحتاج إلى نظام حجز",
        "Нам нужна система бронирования. Клиенты выбирают время и платят картой на месте в любой день недели.",
        "Нам потрібна система бронювання для сауни. Клієнти обирають час і сплачують карткою на місці.",
        "हमें एक आरक्षण प्रणाली चाहिए।",
        "Tarvitsemme varausjärjestelmän saunalle. Asiakkaat varaavat ajan verkossa ja maksavat kortilla paikan päällä.",
        "Naše pekárna chce prodávat chléb přes internet. Zákazníci objednávají do sedmi hodin večer a platí kartou.",
        "La nostra fleca vol vendre pa per internet. Els clients demanen abans de les set de la tarda.",
    ],
)
def test_what_they_do_not_settle_is_unknown(text):
    assert detect_language(text) == UNKNOWN_LANGUAGE == "und"
