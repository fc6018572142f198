"""Words and graph of a Vosk model, made from sentences: the acoustic model is of phones and stays as it is."""
