"""What is written: the HLS project, config.h, contract.h, scripts and test vectors."""
