"""Every call to another machine: timeouts, retries, TLS and downloads in one place."""
