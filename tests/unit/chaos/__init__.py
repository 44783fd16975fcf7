"""Unit tests of the chaos runs: a check that finds nothing wrong anywhere would prove nothing."""
