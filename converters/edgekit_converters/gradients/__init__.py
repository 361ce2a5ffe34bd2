"""Gradients of a hub's outputs, as a hub of its own: no training framework is needed."""
