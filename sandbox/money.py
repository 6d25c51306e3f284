"""Minor units, the exponent of a currency, and rounding, as vendors print them."""

from __future__ import annotations

# ISO 4217 exponents of the currencies the sandbox trades in.
EXPONENT = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0, "KWD": 3}

# Minor units of the currency per 100 euro cents: shelf prices, not exchange rates of any day.
_PER_EURO = {"EUR": 100, "USD": 110, "GBP": 85, "JPY": 160, "KWD": 335}


def decimal_text(minor: int, currency: str) -> str:
    """Print minor units as a vendor's decimal string: 1250 EUR -> "12.50", 1250 JPY -> "1250"."""
    digits = EXPONENT[currency]
    sign, whole = ("-", -minor) if minor < 0 else ("", minor)
    if not digits:
        return f"{sign}{whole}"
    return f"{sign}{whole // 10**digits}.{whole % 10**digits:0{digits}d}"


def minor_units(text: str, currency: str) -> int:
    """Read what :func:`decimal_text` prints. Raises ValueError on more digits than the exponent."""
    digits = EXPONENT[currency]
    sign = -1 if text.startswith("-") else 1
    whole, _, fraction = text.lstrip("-").partition(".")
    if len(fraction) > digits:
        raise ValueError(f"{text} has more digits than {currency} knows")
    return sign * int(whole + fraction.ljust(digits, "0"))


def shelf_price(euro_cents: int, currency: str) -> int:
    """Price of the same article in another currency, in its minor units."""
    return rounded(euro_cents * _PER_EURO[currency], 100)


def rounded(numerator: int, denominator: int) -> int:
    """Divide half away from zero, as shop software and carriers do."""
    sign = -1 if numerator < 0 else 1
    return sign * ((2 * abs(numerator) + denominator) // (2 * denominator))


def tax_on(net: int, permille: int) -> int:
    """Tax added on top of a net amount."""
    return rounded(net * permille, 1000)


def tax_within(gross: int, permille: int) -> int:
    """Tax contained in a gross amount."""
    return rounded(gross * permille, 1000 + permille)
