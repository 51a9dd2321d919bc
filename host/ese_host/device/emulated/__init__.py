"""A board in software, below the driver: registers, DMA, memory and interrupts around the compiled engine."""
