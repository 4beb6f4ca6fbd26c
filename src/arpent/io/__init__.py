"""Files in and out: windowed reader, COG writer, vectors, tables, STAC items."""
