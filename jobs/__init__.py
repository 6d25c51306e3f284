"""When and where does it run? The engine, the settings, the command line, and their assembly."""
