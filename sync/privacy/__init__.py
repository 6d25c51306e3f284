"""What people may ask of their data, and what happens to it without anybody asking."""
