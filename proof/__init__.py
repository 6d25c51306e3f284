"""Does it hold? A simulated world, crashes, hostile input, and the evidence they leave."""
