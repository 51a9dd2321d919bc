"""From a network of integers to the words of an image, with the proof that no sum overflows."""
