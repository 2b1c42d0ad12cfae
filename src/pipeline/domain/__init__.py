"""The pipeline's words as frozen values: topic, script, sentence, timeline, episode. No I/O, standard library alone."""
