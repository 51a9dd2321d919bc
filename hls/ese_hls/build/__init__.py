"""From a project to a design folder: g++, Vitis HLS, Vivado and Bambu, and what they report."""
