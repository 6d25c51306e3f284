"""What each listing may offer for sale now, by a readable formula, and how it gets there."""
