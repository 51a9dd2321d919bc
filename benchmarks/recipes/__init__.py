"""Searches for recipes of training, judged by validation splits only."""
