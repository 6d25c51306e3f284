"""What this stands on: whose code is installed beside ours, and what is known against it."""
