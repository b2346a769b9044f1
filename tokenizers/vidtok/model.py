"""A VidTok autoencoder under its official state-dict names."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import TokenizerError
from .config import VidTokConfig
from .context import Past, TimeContext
from .decoder import Decoder
from .encoder import Encoder, pad_start


class VidTokModel(nn.Module):
    """Encoder, regularizer and decoder.

    v1.1 networks see the first frame repeated before the clip, so all frames of the first latent are equal in every
    layer; one of them is computed instead of all, with the same result. On the meta device all are computed, so that
    operation counts are those of the published network.
    """

    def __init__(self, config: VidTokConfig):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.regularization = config.regularizer.build()
        self.encoder.requires_grad_(not config.fix_encoder)
        self.decoder.requires_grad_(not config.fix_decoder)

    def encode(self, video: Tensor) -> Tensor:
        """Features (B, F, t, h, w), before the regularizer, of a clip (B, 3, T, H, W) in [-1, 1].

        A causal encoder puts frames before a clip whose T isn't a multiple of the temporal factor f: f − 1 of them
        in v1.0, up to the next multiple in v1.1.
        """
        config = self.config
        factor = config.time_downsample_factor
        remainder = video.shape[2] % factor
        merged = self.skips_repeated_frames and remainder == 1 % factor
        if config.causal and remainder and not merged:
            num_frames = factor - (1 if config.variant == "causal" else remainder)
            video = pad_start(video, num_frames, config.init_pad_mode)
        elif not config.causal and video.shape[2] < factor:
            raise TokenizerError(f"a non-causal VidTok needs at least {factor} frames, not {video.shape[2]}")
        return self.encoder(video, TimeContext(self.past_rule, merged))

    def decode(self, latents: Tensor) -> Tensor:
        """The clip (B, 3, T, H, W) of latents (B, C, t, h, w): T = 1 + (t − 1) f, or t f for non-causal networks.

        The f − 1 frames that stand before the clip in causal networks are dropped.
        """
        merged = self.skips_repeated_frames
        video = self.decoder(latents, TimeContext(self.past_rule, merged))
        num_dropped = self.config.time_downsample_factor - 1 if self.config.causal and not merged else 0
        return video[:, :, num_dropped:].contiguous()

    def reconstruct(self, video: Tensor) -> Tensor:
        """The clip through the network at the mode of the posterior, as the official ``forward`` gives it.

        v1.1 gives as many frames as came in: where T isn't 1 + n f, the first latent stands for more than one frame
        of the clip. The others give what :meth:`decode` gives.
        """
        reconstruction = self.decode(self.regularization(self.encode(video)).latents)
        if self.config.variant != "causal_v1_1":
            return reconstruction
        num_missing = video.shape[2] - reconstruction.shape[2]
        return pad_start(reconstruction, num_missing, "replicate") if num_missing > 0 else reconstruction

    @property
    def past_rule(self) -> Past:
        """What causal layers see before the clip."""
        return "first_frame" if self.config.variant == "causal_v1_1" else "zeros"

    @property
    def skips_repeated_frames(self) -> bool:
        """Whether one frame is computed for all of the first latent's."""
        return (
            self.config.variant == "causal_v1_1"
            and self.config.init_pad_mode == "replicate"
            and not next(self.parameters()).is_meta
        )
