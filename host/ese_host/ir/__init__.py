"""What is computed, in integers: fixed-point formats, networks, and the golden model that says what is right."""
