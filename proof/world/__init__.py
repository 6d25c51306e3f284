"""A simulated world: the real hub, pretend vendors, one seed that decides everything else."""
