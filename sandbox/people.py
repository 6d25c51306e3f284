"""Buyers of the sandbox: names and addresses as they really come, in many scripts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    """A buyer with one address. ``country`` is ISO 3166-1 alpha-2."""

    first: str
    last: str
    street: str
    city: str
    state: str
    postcode: str
    country: str
    phone: str
    company: str = ""
    street2: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.first} {self.last}".strip()


def _de(first: str, last: str, street: str, city: str, postcode: str, company: str = "") -> Person:
    return Person(first, last, street, city, "", postcode, "DE", "+49 30 5550100", company)


PEOPLE: tuple[Person, ...] = (
    _de("Jürgen", "Groß", "Königsallee 12", "Düsseldorf", "40212"),
    _de("Zoë", "Müller-Lüdenscheidt", "Straße des 17. Juni 135", "Berlin", "10623"),
    _de("Annika 🌻", "Schäfer", "Am Bächle 3", "Freiburg im Breisgau", "79098"),
    _de("Mehmet", "Yıldız", "Schanzenstraße 41", "Köln", "51063", "Yıldız & Söhne GmbH"),
    _de("Łukasz", "Wójcik", "Oranienstraße 200", "Berlin", "10999"),
    Person(
        "Siobhán", "O’Connor", "4 St. Mary's Road", "Leeds", "", "LS1 4AP", "GB", "+44 113 4960000"
    ),
    Person(
        "Chidi",
        "Okafor",
        "Flat 2/1, 18 Byres Road",
        "Glasgow",
        "",
        "G11 5JY",
        "GB",
        "+441414960111",
    ),
    Person(
        "محمد",
        "الأحمد",
        "شارع الخليج العربي ٧",
        "مدينة الكويت",
        "",
        "13001",
        "KW",
        "+965 2222 0000",
    ),
    Person(
        "فاطمة", "العتيبي", "قطعة ٤، شارع ١٢، منزل ٩", "حولي", "", "32001", "KW", "+965 2222 0001"
    ),
    Person("יעל", "כהן", "רחוב דיזנגוף 99", "תל אביב", "", "6439603", "IL", "+972 3 555 0100"),
    Person(
        "太郎", "山田", "丸の内1丁目9-1", "千代田区", "東京都", "100-0005", "JP", "+81 3-5550-0100"
    ),
    Person(
        "さくら",
        "髙橋",
        "道頓堀1-6-15",
        "大阪市中央区",
        "大阪府",
        "542-0071",
        "JP",
        "+81 6-5550-0101",
    ),
    Person("伟", "王", "南京东路300号", "上海", "上海市", "200001", "CN", "+86 21 5550 0100"),
    Person(
        "José", "Núñez", "Calle de Alcalá, 42, 3º B", "Madrid", "M", "28014", "ES", "+34 915550100"
    ),
    Person(
        "Élodie",
        "L’Hôpital",
        "8 rue de l'Église",
        "Saint-Étienne",
        "",
        "42000",
        "FR",
        "+33 4 77 55 01 00",
    ),
    Person("Øystein", "Åsgård", "Karl Johans gate 22", "Oslo", "", "0026", "NO", "+47 22 55 01 00"),
    Person(
        "Mary-Jane", "Watson", "20 Ingram St", "New York", "NY", "11375", "US", "+1 212 555 0100"
    ),
    Person(
        'Bobby "Tables"',
        "O'Drop; --",
        "1 Injection Way",
        "Austin",
        "TX",
        "73301",
        "US",
        "5125550101",
    ),
    Person(
        "Nguyễn",
        "Thị Hồng",
        "12 Lê Lợi",
        "Thành phố Hồ Chí Minh",
        "",
        "700000",
        "VN",
        "+84 28 5550 100",
    ),
    Person("민준", "김", "세종대로 110", "서울", "서울특별시", "04524", "KR", "+82 2-555-0100"),
    Person(
        '=HYPERLINK("x")',
        "Calc",
        "-1 Formula Street",
        "London",
        "",
        "N1 9GU",
        "GB",
        "+44 20 79460001",
    ),
    Person("Ana", "Żółć", "ul. Piękna 5/7", "Kraków", "", "31-001", "PL", "+48 12 555 01 00"),
)

HOME_CURRENCY = {
    "GB": "GBP",
    "JP": "JPY",
    "KW": "KWD",
    "US": "USD",
    "IL": "USD",
    "CN": "USD",
    "VN": "USD",
}
"""What the shop's currency switcher offers a buyer of that country; everyone else pays in EUR."""
