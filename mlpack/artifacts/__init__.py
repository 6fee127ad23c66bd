"""The nouns of the line: frozen values that each verb takes and gives."""
