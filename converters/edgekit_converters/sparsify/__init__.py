"""Zeros among the weights, one shot, by calibration samples."""
