"""Stable Diffusion models of a few thousand random weights, in diffusers' layout: real files, real loading code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def make_model(folder: Path, *, xl: bool = False, seed: int = 0) -> Path:
    """A model whose pictures are noise, of 8×8 pixels and up, in a fraction of a second."""
    why = "PyTorch is not part of the development set-up: it is several times larger than all the rest"
    torch: Any = pytest.importorskip("torch", reason=why)
    diffusers: Any = pytest.importorskip("diffusers", reason=why)
    transformers: Any = pytest.importorskip("transformers", reason=why)
    torch.manual_seed(seed)
    tokenizer = _tokenizer(transformers, folder)
    text = transformers.CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_attention_heads=4,
        num_hidden_layers=2,
        max_position_embeddings=77,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        projection_dim=32,
    )
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(8, 16),
        layers_per_block=1,
        sample_size=8,
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=64 if xl else 32,
        attention_head_dim=(2, 4) if xl else 4,
        **(
            {
                "use_linear_projection": True,
                "addition_embed_type": "text_time",
                "addition_time_embed_dim": 8,
                "transformer_layers_per_block": (1, 1),
                "projection_class_embeddings_input_dim": 80,
            }
            if xl
            else {}
        ),
    )
    vae = diffusers.AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
    )
    scheduler = diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="trailing"
    )
    if xl:
        pipe = diffusers.StableDiffusionXLPipeline(
            vae=vae,
            text_encoder=transformers.CLIPTextModel(text),
            text_encoder_2=transformers.CLIPTextModelWithProjection(text),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=unet,
            scheduler=scheduler,
            add_watermarker=False,
        )
    else:
        pipe = diffusers.StableDiffusionPipeline(
            vae=vae,
            text_encoder=transformers.CLIPTextModel(text),
            tokenizer=tokenizer,
            unet=unet,
            scheduler=scheduler,
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    model = folder / "model"
    pipe.save_pretrained(model, safe_serialization=True)
    return model


def _tokenizer(transformers: Any, folder: Path) -> Any:
    """CLIP's, with letters for words: every text can be read."""
    letters = [chr(code) for code in range(33, 127)]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}), "utf-8")
    merges.write_text("#version: 0.2\n", "utf-8")
    return transformers.CLIPTokenizer(str(vocabulary), str(merges), model_max_length=77)
