"""The index of the map: a database that can be thrown away, since the run folders are the truth."""
