"""Whether the tests bite: each small mistake that is made in the code on purpose must have some test fail."""
