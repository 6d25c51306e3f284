"""What has to be done? Vendor-neutral business rules over the store."""
