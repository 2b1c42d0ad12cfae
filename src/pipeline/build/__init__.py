"""The build system: keys, store, plan, runner. It knows nothing of media."""
