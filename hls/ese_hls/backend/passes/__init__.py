"""Graph passes; hls4ml finds and registers every pass class in these modules under `ese:<snake_case name>`."""
