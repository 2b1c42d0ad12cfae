"""What is counted, for Prometheus: the names, the counting, the text."""
