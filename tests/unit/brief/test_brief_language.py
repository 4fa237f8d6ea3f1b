# ruff: noqa: RUF001
import pytest

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
        ("نحتاج إلى نظام حجز", "ar"),
        ("Нам нужна система бронирования.", "ru"),
        ("שלום עולם", "he"),
        ("ระบบจอง", "th"),
        ("Χρειαζόμαστε ένα σύστημα", "el"),
        ("CRM v2", "en"),
        ("", "en"),
        ("123 !!", "en"),
        ("\ud800", "en"),
    ],
)
def test_script_or_small_words_settle_the_language(text, language):
    assert detect_language(text) == language


def test_the_model_decides_what_the_small_words_leave_open():
    finnish = (
        "Tarvitsemme varausjärjestelmän saunalle. Asiakkaat varaavat ajan verkossa ja maksavat kortilla paikan päällä."
    )
    ukrainian = (
        "Нам потрібна система бронювання для сауни. Клієнти обирають час і сплачують карткою на місці у будь-який день."
    )
    assert detect_language(finnish) == "fi"
    assert detect_language(ukrainian) == "uk"
