"""The study: networks of a grid, trained where they are missing, and the page that is written from their results.

cell.py    what is trained, and its stable key     store.py   one JSON and one model a cell, each complete or absent
runner.py  the missing cells, through joblib
"""
