"""The commands `ese4ml data`, `train`, `compress`, `dsd`, `report`, `sensitivity` and `study`."""
