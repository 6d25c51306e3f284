"""How other programs look in: what they send us is proven, kept, and answered at once."""
