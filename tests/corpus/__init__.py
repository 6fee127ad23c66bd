"""Real model files that packages on PyPI carry: which, what each must be told to be, and what fetches and checks them."""
