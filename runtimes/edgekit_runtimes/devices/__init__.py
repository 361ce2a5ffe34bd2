"""Ways to reach devices; each is an `edgekit.protocols.Transport`."""
