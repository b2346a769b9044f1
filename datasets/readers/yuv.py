"""Raw video: I420 frames (8-bit planar Y, U, V with halved chroma) one after another, without a header."""

from __future__ import annotations

from collections.abc import Sequence

import av
import numpy as np

from ..interface import UnreadableVideo, VideoSource
from .interface import VideoFacts, VideoReader
from .pyav import COLOUR_MATRICES

DEFAULT_COLOUR_MATRIX = "bt709"


class YuvReader(VideoReader):
    """Reads raw I420 of limited range, BT.709 unless the source says BT.601.

    FFmpeg's scaler converts, as it does for compressed video, so the same planes give the same pixels from either kind
    of file: within 3 levels of the exact formula of ITU-R BT.709, chroma repeated to full size.
    """

    def __init__(self, source: VideoSource):
        """Map a file into memory.

        Raises:
            UnreadableVideo: if size or frame rate are unknown, the size is odd, or the file doesn't hold whole frames.
        """
        super().__init__(str(source.path))
        if source.width is None or source.height is None or source.fps is None:
            raise UnreadableVideo(f"{source.path}: raw video needs a width, a height and a frame rate from its dataset")
        if source.width % 2 or source.height % 2:
            raise UnreadableVideo(f"{source.path}: I420 needs an even size, not {source.width}×{source.height}")
        if not source.path.is_file():
            raise UnreadableVideo(f"{source.path}: there is no such file")
        frame_bytes = source.width * source.height * 3 // 2
        size = source.path.stat().st_size
        if size == 0 or size % frame_bytes:
            raise UnreadableVideo(
                f"{source.path}: {size} bytes are not a whole number of {source.width}×{source.height} I420 frames "
                f"({frame_bytes} bytes each); it was cut off, or its size is another"
            )
        self._planes = np.memmap(
            source.path, mode="r", dtype=np.uint8, shape=(size // frame_bytes, source.height * 3 // 2, source.width)
        )
        self._matrix = COLOUR_MATRICES[source.colour_matrix or DEFAULT_COLOUR_MATRIX]
        self.facts = VideoFacts(size // frame_bytes, source.fps, source.width, source.height, "yuv")

    def _frames(self, frame_ids: Sequence[int]) -> np.ndarray:
        return np.stack([self._to_rgb(self._planes[frame_id]) for frame_id in frame_ids])

    def _to_rgb(self, planes: np.ndarray) -> np.ndarray:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes), format="yuv420p")
        return frame.to_ndarray(
            format="rgb24", src_colorspace=self._matrix, src_color_range="MPEG", dst_color_range="JPEG"
        )
