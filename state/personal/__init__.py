"""Personal data: where it is kept, whose it is, how long it may stay, and how it is erased.

What an order is (goods, quantities, totals, taxes, its country) stays. What says who bought it and
where they live goes: addresses, notes, payloads as they came, frozen bodies of what was sent.
"""
