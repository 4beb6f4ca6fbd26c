"""The site around the map: settings, addresses, guards, and the program that serves it."""
