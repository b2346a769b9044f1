from __future__ import annotations

import torch
from toklab.tokenizers.networks.patches import from_patches, to_patches


def test_patches_have_their_channels_slowest() -> None:
    video = torch.arange(2 * 2 * 4 * 8).reshape(1, 2, 2, 4, 8).float()
    patches = to_patches(video, 2, 4)
    assert patches.shape == (1, 1, 1, 2, 64)
    assert torch.equal(patches[0, 0, 0, 1], video[0, :, :, :, 4:].flatten())


def test_patches_make_up_the_video_again() -> None:
    video = torch.rand(2, 3, 6, 8, 12)
    for num_frames, edge in ((1, 4), (2, 2), (3, 1)):
        assert torch.equal(from_patches(to_patches(video, num_frames, edge), num_frames, edge), video)
