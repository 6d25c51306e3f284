"""Webhooks: forged, replayed, sent to the wrong address, lost, doubled, late, and dripping."""
