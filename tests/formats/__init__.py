"""Models of every format made for the tests, and the tests of what reads them."""
