"""Two partners made once per run (north, south), people and keys of each role, and a product with a promoted model."""
