"""Models as their users had them, in bug reports and tutorials, taken through the product as an ordinary user would."""
