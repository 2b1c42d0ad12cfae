"""Load on the API, the watched folder and the speech service: `make load`."""
