"""Values in, bytes out: audio, captions. No files, no network."""
