"""Plan tiles, taper their edges, blend them into rows. Numpy only."""
