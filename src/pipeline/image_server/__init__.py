"""What runs inside the image container: diffusers behind the AUTOMATIC1111 routes.

It is a program of its own: nothing else in the pipeline imports it, and the pipeline speaks to it over HTTP alone.
`easel` is the heart (one model, one picture at a time), `app` the routes, `diffusion` the only module that knows
PyTorch.
"""
