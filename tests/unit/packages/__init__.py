"""Unit tests of the room `packages`, and the small index that they and the verb's tests ask."""
