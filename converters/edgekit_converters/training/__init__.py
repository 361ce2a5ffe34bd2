"""Smaller networks in the user's own framework: which of its parameters the hub's constants came from, and what stays of them."""
