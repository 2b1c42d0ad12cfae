"""What an episode goes through, one module a stage; a stage never imports another."""
