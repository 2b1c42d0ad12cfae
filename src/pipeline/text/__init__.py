"""Everything about words: sentences, what is spoken for what is written, the script file. Pure functions."""
