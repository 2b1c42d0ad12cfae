"""Piper behind HTTP: what runs inside the speech container.

Read `app` for the routes, `booth` for who speaks when, `wire` for what a request may say. It speaks with
`pipeline.engines.piper`, and so is under the GPL with the library it links; the manager talks to it over HTTP alone.
"""
