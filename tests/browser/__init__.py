"""The pages in a real browser: what a person sees, hears and can reach with a keyboard."""
