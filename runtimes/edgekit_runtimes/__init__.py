"""Device side: thin adapters over inference engines."""
