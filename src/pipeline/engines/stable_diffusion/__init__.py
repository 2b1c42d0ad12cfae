"""Pictures drawn by a Stable Diffusion server.

`engine` asks for them, `looking` finds out which server it is and what it draws with (`setup`), `answers` reads what it
sends, `pixels` judges what is to be seen.
"""

from pipeline.engines.stable_diffusion.engine import StableDiffusion, seed_of
from pipeline.engines.stable_diffusion.pixels import check_pixels

__all__ = ["StableDiffusion", "check_pixels", "seed_of"]
