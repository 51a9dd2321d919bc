"""Data sets: fetched by package name, verified, cached, read into arrays."""

from ese_models.data.japanese_vowels import Dataset, Split, load
from ese_models.data.ts_format import read_ts

__all__ = ["Dataset", "Split", "load", "read_ts"]
