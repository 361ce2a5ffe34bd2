"""The rules, a family of layers a file."""
