"""Quantizers, precisions and weight arrays as integer codes with scales."""
