"""Other programs behind our protocols (`ports.py`): one module an engine; they never import each other."""
