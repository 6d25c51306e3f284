"""What goes into a support bundle: one order's story, without the persons in it."""
