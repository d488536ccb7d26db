"""What is true about money, time, periods, agreements and charges: pure, with no I/O, clock or randomness."""
