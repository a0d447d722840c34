"""An infinite stream of random crops. Crop i is a pure function of (seed, i), so training can resume anywhere."""

import itertools
import signal
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from impasto.configs.errors import UsageError
from impasto.configs.schema.data import DataConfig
from impasto.models.card import CropStage
from impasto.models.image.picture import UnreadablePicture
from impasto.train.data.dataset import PhotoSet
from impasto.train.data.decoded_cache import DecodedPhotoCache

Batch = tuple[Tensor, list[str]]
"""Crops uint8 [N, H, W, 3], and an error message for each unreadable photo that was skipped to fill the batch."""

Item = tuple[NDArray[np.uint8], list[str]]
"""One crop uint8 [H, W, 3], and an error message for each unreadable photo that was skipped for it."""

_Collated = tuple[NDArray[np.uint8], list[str], str]  # a batch, and an error or ""
FLAT = 1.0  # levels: a crop whose channels all vary less has nothing to paint
TRIES = 16  # to find a crop of a photo that is not flat
_NO_PIXELS = np.empty((0, 0, 0, 3), np.uint8)


class Crops(Dataset[Item]):
    """Random square crops, each a pure function of the seed and its position in the stream.

    A crop is cut from its photo at the largest size that any stage needs, so the crop is the same whether
    the photo came from the cache or was decoded. It is flat only if TRIES places of the photo are: from a plain
    background, each instance norm enlarges the gradients up to a hundredfold, and together they overflow.

    Args:
        photos: The training photos.
        config: The flip of the crops, the workers and the cache.
        seed: The seed of the photos' order and of the crops.
        stages: The sizes and scale ranges of the crops. All stages share one cache of decoded photos.

    Attributes:
        stage: The present stage, at first the first one. A loader must be opened after it changes.
    """

    def __init__(self, photos: PhotoSet, config: DataConfig, seed: int, stages: Sequence[CropStage]) -> None:
        self.photos = photos
        self.config = config
        self.seed = seed
        self.stage = stages[0]
        self.short_side = max(stage.short_sides[1] for stage in stages)
        self.cache: DecodedPhotoCache | None = None
        if config.cache is not None:
            folder, count = Path(config.cache), len(photos.indices)
            self.cache = DecodedPhotoCache(folder, config.cache_gb, photos.fingerprint, count, self.short_side)
        self._orders: dict[int, NDArray[np.int64]] = {}

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Return the permutation of the photos in an epoch."""
        if epoch not in self._orders:
            order = np.random.default_rng((self.seed, 0, epoch)).permutation(len(self.photos.names))
            self._orders = {**dict([*self._orders.items()][-1:]), epoch: order}  # a batch can span two epochs
        return self._orders[epoch]

    def __getitem__(self, position: int) -> Item:
        """Return the crop at a position, uint8 [size, size, 3], and an error message for each photo skipped for it.

        Raises:
            UsageError: No photo can be read.
        """
        count = len(self.photos.names)
        rng = np.random.default_rng((self.seed, 1, position))
        skipped: list[str] = []
        for neighbor in range(position, position + count):
            name = self.photos.names[self.order(neighbor // count)[neighbor % count]]
            try:
                return self._crop(name, rng), skipped
            except UnreadablePicture as error:
                skipped.append(str(error))
        raise UsageError(f"none of the {count} photos of {self.photos.root} can be read; the first error: {skipped[0]}")

    def _crop(self, name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
        size, (low, high) = self.stage.size, self.stage.scale_range
        photo = self._photo(name)
        for _ in range(TRIES):
            side = max(1, round(min(photo.shape[:2]) * size / round(size * rng.uniform(low, high))))
            top, left = (rng.integers(length - side + 1) for length in photo.shape[:2])
            crop = resize_bicubic(photo[top : top + side, left : left + side], (size, size))
            if max(crop[..., channel].std() for channel in range(3)) >= FLAT:  # far faster than std((0, 1))
                break
        return crop[:, ::-1] if self.config.flip and rng.random() < 0.5 else crop

    def _photo(self, name: str) -> NDArray[np.uint8]:
        index = self.photos.indices[name]
        photo = self.cache.read(index) if self.cache else None
        if photo is None:
            photo = self.photos.decode(name, self.short_side)
            short = min(photo.shape[:2])
            if short > self.short_side:
                height, width = (round(length * self.short_side / short) for length in photo.shape[:2])
                photo = resize_bicubic(photo, (height, width))
            if self.cache:
                self.cache.write(index, photo)
        return photo


def resize_bicubic(pixels: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize uint8 [H, W, 3] to (height, width), antialiased: five times as fast as Pillow's Lanczos."""
    batch = torch.from_numpy(pixels).permute(2, 0, 1)[None]
    resized = F.interpolate(batch, size, mode="bicubic", antialias=True)[0]
    return np.ascontiguousarray(resized.permute(1, 2, 0).numpy())


class _RankPositions(Sampler[int]):
    """The positions of one rank from `start` on: of each global batch, its own `local_batch_size` positions."""

    def __init__(self, start: int, local_batch_size: int, rank: int, world_size: int) -> None:
        self.first = start + rank * local_batch_size
        self.local_batch_size = local_batch_size
        self.stride = world_size * local_batch_size

    def __iter__(self) -> Iterator[int]:
        starts = itertools.count(self.first, self.stride)
        return (start + index for start in starts for index in range(self.local_batch_size))


def loader(
    crops: Crops, batch_size: int, first_step: int, pin_memory: bool, rank: int = 0, world_size: int = 1
) -> Generator[Batch]:
    """Yield infinitely many batches, and stop the workers when closed.

    Workers hand over NumPy arrays, which pass a pipe. torch would hand over tensors in shared memory, and what fails
    there (/dev/shm is full, TMPDIR is too long for a socket) is lost in a thread of the worker, so training waits
    forever.

    Args:
        crops: The stream of crops.
        batch_size: The number of crops in a batch, over all ranks; `world_size` must divide it.
        first_step: The training step whose batch comes first.
        pin_memory: Whether to return batches in page-locked memory.
        rank: The rank of this process.
        world_size: The number of processes.

    Raises:
        LoaderError: A batch cannot be loaded.
    """
    local_batch_size, iterator = batch_size // world_size, None
    data: DataLoader[_Collated] = DataLoader(
        _CropsOrErrors(crops),  # type: ignore[arg-type]  # torch has no type for what collate_fn returns
        batch_size=local_batch_size,
        sampler=_RankPositions(first_step * batch_size, local_batch_size, rank, world_size),
        num_workers=crops.config.workers,
        collate_fn=_collate,
        worker_init_fn=_init_worker,
        persistent_workers=crops.config.workers > 0,
    )
    try:
        iterator = iter(data)
        while True:
            pixels, skipped, error = next(iterator)
            if error:
                raise LoaderError(error)
            batch = torch.from_numpy(pixels)
            yield (batch.pin_memory() if pin_memory else batch), skipped
    except (RuntimeError, OSError) as error:  # a worker died, or cannot be started
        reason = str(error).strip().splitlines()[-1]
        raise LoaderError(
            f"the processes that decode photos failed ({reason}); data.workers=0 decodes without them"
        ) from error
    finally:
        if isinstance(iterator, _MultiProcessingDataLoaderIter):
            iterator._shutdown_workers()  # at the end of the process it would be too late; they ignore its signals


@contextmanager
def batches(
    crops: Crops, batch_size: int, first_step: int, pin_memory: bool, rank: int, world_size: int
) -> Iterator[Iterator[Batch]]:
    """Open the batches of `loader`, and stop its workers at the end of the block.

    Messages of the cache are logged in this process.
    """
    with closing(loader(crops, batch_size, first_step, pin_memory, rank, world_size)) as iterator:
        yield _log_cache(iterator, crops.cache) if crops.cache else iterator


class LoaderError(Exception):
    """The batches end; the message is a sentence on the cause."""


class _CropsOrErrors(Dataset[Item | str]):
    """Crops whose UsageError is an item: torch would turn it into a traceback on its way from a worker."""

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __getitem__(self, position: int) -> Item | str:
        try:
            return self.crops[position]
        except UsageError as error:
            return str(error)


def _log_cache(batches: Iterator[Batch], cache: DecodedPhotoCache) -> Iterator[Batch]:
    for batch in batches:
        cache.log_stop()
        yield batch


def _collate(items: list[Item | str]) -> _Collated:
    if errors := [item for item in items if isinstance(item, str)]:
        return _NO_PIXELS, [], errors[0]
    crops, skipped = zip(*items, strict=True)
    return np.stack(crops), [message for messages in skipped for message in messages], ""


def _init_worker(_: int) -> None:
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGUSR1",
    ):  # the trainer handles them: it saves, then stops its workers
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
