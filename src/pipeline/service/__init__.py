"""The pipeline as a service: a folder that is watched, an HTTP API beside it, and what both say of themselves.

    maker    makes what is asked for, round after round; knows no HTTP
    board    how every episode stands now, from the rounds' own events
    checks   what each engine did when it was last asked to work; asked in the background, never by a request
    topics, scripts, held    what the API writes: plain files, whole on the disk before they are acknowledged
    hub      tells listeners what happens; who does not listen is dropped
    door     who may call, what every answer carries, how much a request may bring
    routes   the API itself, over all of these

State stays files. What is in memory here is for looking at, and is found again after a restart.
"""
