"""How fast Crossdock is, each time beside a floor measured in the same run."""
