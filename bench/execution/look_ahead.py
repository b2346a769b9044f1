"""The batches of a cell, the next one on its way to the device while the present one is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...datasets.interface import Clip, FailedClip
from .device import Device, Staged
from .long_windows import LongClip


@dataclass(frozen=True)
class Batch:
    """Clips of one shape that go through the model together."""

    clips: Sequence[Clip]
    staged: Staged
    """Their videos, which may be on their way to the device."""

    @classmethod
    def of(cls, clips: Sequence[Clip], device: Device) -> Batch:
        """Clips whose videos go to the device when they are taken, or earlier if somebody starts them."""
        return cls(clips, device.stage([clip.video for clip in clips]))


class LookAhead(Iterator[Batch | FailedClip | LongClip]):
    """Items in their order; :meth:`fetch` has the next one decoded and starts its copy before it is asked for."""

    def __init__(self, items: Iterator[Batch | FailedClip | LongClip]):
        self._items = items
        self._next: Batch | FailedClip | LongClip | None = None
        self._failure: Exception | None = None
        self._has_ended = False

    def fetch(self) -> None:
        """Take the next item from the stream, and start its copy to the device.

        What fails here fails when the item is asked for: it is no fault of the batch that is being computed.
        """
        if self._next is not None or self._failure is not None or self._has_ended:
            return
        try:
            self._next = next(self._items, None)
        except Exception as error:
            self._failure = error
            return
        self._has_ended = self._next is None
        if isinstance(self._next, Batch):
            self._next.staged.start()

    def drop_copy(self) -> None:
        """Free the memory that the next batch has on the device; its videos are copied again."""
        if isinstance(self._next, Batch):
            self._next.staged.drop()

    def __next__(self) -> Batch | FailedClip | LongClip:
        if self._failure is not None:
            raise self._failure
        if self._next is None:
            return next(self._items)
        item, self._next = self._next, None
        return item
