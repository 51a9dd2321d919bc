"""What travels between host and engine: registers, packets, answers, and the results read from them."""
