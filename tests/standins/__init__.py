"""Real things made small: programs that speak the real wire. None imports mlpack."""
