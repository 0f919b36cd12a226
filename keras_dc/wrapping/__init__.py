"""Everything that reaches into Keras; see README.md in this folder."""
