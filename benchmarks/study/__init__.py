"""The study: networks of a grid, trained where they are missing, and the page that is written from their results.

cell.py    what is trained, and its stable key      store.py     one JSON and one model a cell, each complete or absent
grid.py    the cells of the five questions          runner.py    the missing cells, through joblib
stages.py  what a worker runs                       training.py  how a cell is trained and measured
costs.py   seconds an epoch, measured               answers.py   tables, goals and charts of each question
report.py  docs/study.md from the results           cli.py       `ese4ml study list | measure | run | report`
"""
