"""Orders with a buyer's words in them, as a partner drops them."""

from __future__ import annotations

HEAD = (
    "order_number,placed_at,currency,status,ship_to_name,ship_to_street,ship_to_city,"
    "ship_to_postcode,ship_to_country,ship_to_email,note,sku,quantity,unit_price,line_total,"
    "grand_total\n"
)


def row(number: int, name: str, status: str) -> str:
    return (
        f"{number},2026-01-05 10:00,EUR,{status},{name} Canary,Canarystreet 1,Berlin,10117,DE,"
        f"{name.lower()}@canary.example,canary for {name},A,1,10.00,10.00,10.00\n"
    )
