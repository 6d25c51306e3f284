"""How we talk to them: one class per vendor, and the one door to the network they share."""
