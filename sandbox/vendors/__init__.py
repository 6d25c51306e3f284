"""One module per vendor API: its state, its routes, its guards. No vendor knows another."""
