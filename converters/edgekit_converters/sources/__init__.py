"""One reader a framework; each gives a `Hub`."""
