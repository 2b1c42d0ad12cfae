"""The models that an installation works with: had, listed, proven, removed, and carried to where no network is.

`needs` says which the settings ask for, `lockfile` what each must be, `fetching` brings them, `keeping` looks after
them, `bundle` carries them. Ollama's own models are its server's to keep; it is only asked to fetch them.
"""
