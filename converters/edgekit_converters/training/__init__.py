"""Smaller networks back in the user's own framework: which of its parameters a hub's constants came from, and what stays of them."""
