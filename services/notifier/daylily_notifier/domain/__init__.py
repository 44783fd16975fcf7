"""What is told to whom, when again, and in which words. Pure: no I/O, no clock, no proto."""
