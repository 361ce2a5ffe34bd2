"""Smaller networks from trained ones: channels, units and heads removed as a whole, what remains refitted on samples."""
