"""Device profiles: a TOML file each, named as its entry point."""
