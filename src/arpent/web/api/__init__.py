"""What the page and other programs may ask the map."""
