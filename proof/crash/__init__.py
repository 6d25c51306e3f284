"""kill -9, full disks and power cuts against the real daemon in real processes."""
