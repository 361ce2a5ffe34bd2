"""Calibrate, plan, correct: from a float hub and samples to a `QuantPlan`."""
