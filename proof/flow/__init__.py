"""G14: how many orders an hour go from a channel to the 3PL, and how long one takes."""
