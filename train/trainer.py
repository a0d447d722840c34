"""The feed-forward trainer: Adam on the perceptual loss of photos, after Johnson et al. 2016."""

import math
import time
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from impasto.configs.errors import RequestError
from impasto.configs.schema import TrainConfig
from impasto.models import checkpoint, strength
from impasto.models.checkpoint import Card
from impasto.models.losses import PerceptualLoss
from impasto.models.networks import Transformer
from impasto.train import guards, parallel, resume
from impasto.train.average import Average
from impasto.train.crops import Crops, batches
from impasto.train.display import Display
from impasto.train.guards import USUAL, FaultError, give_up
from impasto.train.hardware import Hardware
from impasto.train.interrupt import Interrupt
from impasto.train.objective import Objective
from impasto.train.parallel import Group, Nothing
from impasto.train.photos import PhotoSet, to_pixels, validation_crops
from impasto.train.records import MEASURES, Records
from impasto.train.resume import Progress
from impasto.train.sheets import to_bytes

SHOWN = 4  # photos on a sample sheet


class Trainer:
    """One run: steps until the budget ends, and what it leaves in its directory on the way.

    `card` is what the checkpoints say of the run, to which their own figures are added.
    """

    def __init__(
        self,
        config: TrainConfig,
        directory: Path,
        hardware: Hardware,
        network: Transformer,
        loss: PerceptualLoss,
        photos: tuple[PhotoSet, PhotoSet],
        card: Card,
        group: Group,
    ) -> None:
        self.config = config
        self.directory = directory
        self.hardware = hardware
        self.card = card
        self.group = group
        self.network = network.train().to(hardware.device).to(memory_format=torch.channels_last)
        self.loss = loss.to(hardware.device).to(memory_format=torch.channels_last)
        self.objective = Objective(config, hardware, self.network, self.loss)
        self.average = Average(self.network, config.trainer.average)
        self.optimizer = torch.optim.Adam(self.network.parameters(), config.trainer.lr, fused=True)
        self.crops = Crops(photos[0], config.data, config.seed)
        self.held_out, _, self.skipped = validation_crops(photos[1], config.data.val_size)
        self.progress, self.notes = Progress(), list[str]()
        self._returned: Path | None = None  # the state that the last fault led back to
        self._unsaved = False  # whether that is in no state yet
        if config.resume is not None:
            self.progress, self.notes = self._go_back()
            if group.leads and self.fraction() >= 1 and self._checkpoint_is_whole() and not self._validation_is_due():
                raise RequestError(
                    f"resume={directory} is a run that has ended, after {self.progress.step} steps; give it a larger "
                    "budget with trainer.steps= or trainer.minutes="
                )
        if self.progress.origin is None:
            self.progress.origin = card["init"]
        self.card = card | {"init": self.progress.origin}
        if config.loss.strength is not None:
            self._weigh(photos[1])
        self.loss.to_precision(hardware.dtype)

    def fit(self) -> Path:
        """Train until the budget ends; the last checkpoint's path.

        Ctrl-C and SIGTERM save and raise KeyboardInterrupt with how to go on. A fault that the guards see goes back to
        the last good state, with a lower learning rate; CheckError where that does not help.
        """
        title = f"{self.config.model.name} on {self.config.style.name}"
        with Interrupt() as interrupt, Display(title, quiet=not self.group.leads) as display:
            if self.config.loss.strength is not None:
                display.say(strength.sentence(self.loss.config))
            for note in self.notes:
                display.say(note)
            self._say_news(display)
            while True:
                try:
                    self._run(interrupt, display)
                    break
                except FaultError as fault:
                    display.say(self._roll_back(fault))
                except KeyboardInterrupt:  # at once, while it was compiled, or the second
                    go_on = f"go on with: {parallel.go_on(self.directory)}"
                    raise KeyboardInterrupt(f"stopped before step {self.progress.step + 1} ended; {go_on}") from None
        if self.fraction() < 1 or (interrupt.asked and self._validation_is_due()):
            raise KeyboardInterrupt(f"saved at step {self.progress.step}; go on with: {parallel.go_on(self.directory)}")
        return checkpoint.path(self.directory, self.progress.step)

    def _run(self, interrupt: Interrupt, display: Display) -> None:
        """Steps from where the run is to the end of the budget; FaultError where the guards see one."""
        steps, group, started = self.config.trainer, self.group, time.monotonic() - self.progress.seconds
        records: Any = Records(self.directory, self.progress.step) if group.leads else Nothing()
        pinned = self.hardware.device.type == "cuda"
        share = steps.batch, self.progress.step, pinned, group.rank, group.size
        with closing(records), batches(self.crops, *share) as following:
            records.skip(self.skipped)
            if due := self._validation_is_due():
                self._validate(records, display, interrupt)
            if due or self._unsaved or not self._checkpoint_is_whole():
                self._save(records)
                self._unsaved = False
            _, asked = group.agree(0, interrupt.asked)
            sums, since, skipped = self._zeros(), replace(self.progress), list[str]()
            while not asked and self.fraction() < 1:
                batch, lines = next(following)
                with interrupt.at_once(self.objective.judge.pending):
                    sums, skipped = sums + self._step(batch), skipped + lines
                self.progress.step += 1
                self.progress.seconds, asked = group.agree(time.monotonic() - started, interrupt.asked)
                ended = self.fraction() >= 1
                logs = asked or ended or self.progress.step % steps.log_every == 0
                saves = asked or ended or self.progress.step % steps.checkpoint_every == 0
                if logs or saves:
                    row = self._row(sums, since)  # so that nothing is saved that the guards have not seen
                if logs:
                    records.row(row)
                    records.skip(group.gather(skipped))
                    display.trained(self.fraction(), row)
                    self._say_news(display)
                    self.progress.usual = [*self.progress.usual, row["total"]][-USUAL:]
                    sums, since, skipped = self._zeros(), replace(self.progress), []
                if not asked and self._validation_is_due():
                    self._validate(records, display, interrupt)
                    _, asked = group.agree(0, interrupt.asked)
                if group.leads and not asked and (ended or self.progress.step % steps.sample_every == 0):
                    photos = self.held_out[:SHOWN]
                    records.sample(self.progress.step, photos.numpy(), to_bytes(self.stylize(photos)))
                if asked or saves:
                    if not (logs or saves):  # asked while it validated
                        self._row(sums, since)
                    guards.check_weights(self.network)
                    self._save(records)

    def fraction(self) -> float:
        """How much of the budget is spent, 0..1."""
        budget = self.config.trainer
        spent = [0.0]
        if budget.steps is not None:
            spent.append(self.progress.step / budget.steps)
        if budget.minutes is not None:
            spent.append(self.progress.seconds / (60 * budget.minutes))
        return min(1.0, max(spent))

    def _lr(self) -> float:
        return self.config.trainer.lr * self.config.trainer.guard.lr_factor ** len(self.progress.rollbacks)

    def learning_rate(self) -> float:
        """Linear warm-up over the first steps, then a linear way to zero at the end of the budget."""
        warm = min(1.0, (self.progress.step + 1) / max(1, self.config.trainer.warmup_steps))
        return self._lr() * warm * (1 - self.fraction())

    @torch.no_grad()
    def stylize(self, photos: Tensor) -> Tensor:
        """Pictures [N, 3, H, W] that the averaged network makes of photos uint8 [N, H, W, 3]."""
        self.average.eval()
        return torch.cat([self.average(to_pixels(photo, self.hardware.device)) for photo in photos.split(1)])

    @torch.no_grad()
    def validate(self, interrupt: Interrupt) -> dict[str, float] | None:
        """Mean losses of the averaged network on the held-out photos; None if the run is to end."""
        totals = torch.zeros(len(MEASURES), device=self.hardware.device)
        for photo in self.held_out.split(1):
            if interrupt.asked:
                return None
            pixels, stylized = to_pixels(photo, self.hardware.device), self.stylize(photo)
            totals += self.objective.measures(self.average, pixels, stylized)
        return {"step": float(self.progress.step)} | _named(totals / len(self.held_out))

    def _weigh(self, held_out: PhotoSet) -> None:
        """Take the style_weight that the strength stands for: what the run has had so far, or measured on photos.

        They are as large as those to train on, since Gatys' and Keras' content losses grow with the picture.
        """
        settings = {name: value for name, value in self.card["loss"].items() if name != "style_weight"}
        painting = {name: self.card["style"][name] for name in ("sha256", "size")}
        if self.progress.weighed.get("for") != [settings, painting]:
            photos, *_ = validation_crops(held_out, self.config.data.size)
            pixels = (to_pixels(photo, self.hardware.device) for photo in photos.split(1))
            weight = strength.style_weight(self.loss, pixels, self.config.data.size)
            self.progress.weighed = {"for": [settings, painting], "style_weight": weight}
        weight = self.progress.weighed["style_weight"]
        self.loss.config = replace(self.loss.config, style_weight=weight)
        self.card = self.card | {"loss": self.card["loss"] | {"style_weight": weight}}

    def _step(self, batch: Tensor) -> Tensor:
        photos = to_pixels(batch, self.hardware.device)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        loss, measures = self.objective(photos, self.progress.step)
        self.optimizer.zero_grad()
        loss.backward()
        self.group.average_gradients(self.network.parameters())
        self.optimizer.step()
        self.average.follow(self.network, first=self.progress.step == 0)
        return measures

    def _say_news(self, display: Display) -> None:
        for line in (*(self.crops.kept.news() if self.crops.kept else ()), *self.objective.judge.news()):
            display.say(line)

    def _zeros(self) -> Tensor:
        return torch.zeros(len(MEASURES) + len(guards.FIGURES), device=self.hardware.device)

    def _validate(self, records: Records, display: Display, interrupt: Interrupt) -> None:
        losses = self.group.from_first(lambda: self.validate(interrupt))
        if losses is None:
            return  # it is still due where the run goes on
        self.progress.validation.append(losses)
        row = {name if name == "step" else f"val_{name}": value for name, value in losses.items()}
        records.row(row)
        display.validated(self.fraction(), row)

    def _row(self, sums: Tensor, since: Progress) -> dict[str, float]:
        steps = self.progress.step - since.step
        means = self.group.mean(sums / steps)
        losses, seen = _named(means[: len(MEASURES)]), means[len(MEASURES) :].tolist()
        warm = self.progress.step > self.config.trainer.warmup_steps
        guards.check(self.config.trainer.guard, losses["total"], seen, self.progress.usual, warm)
        batch = self.config.trainer.batch
        return {
            "step": self.progress.step,
            "images": self.progress.step * batch,
            "seconds": round(self.progress.seconds, 3),
            "images_per_second": round(steps * batch / max(1e-9, self.progress.seconds - since.seconds), 3),
            "lr": self.learning_rate(),
        } | losses

    def _roll_back(self, fault: FaultError) -> str:
        """Go back to the last good state with a lower learning rate; what was done, or CheckError after too often.

        A state from which the run has met a fault already may hold the cause of it: then back to the one before.
        """
        failed, guard = self.progress, self.config.trainer.guard
        if len(failed.rollbacks) >= guard.rollbacks:
            left = self.group.from_first(lambda: resume.states(self.directory)[0].stem + checkpoint.SUFFIX)
            raise give_up(fault, failed.step, self._lr(), left)
        found = resume.states(self.directory) if self.group.leads else []
        if len(found) > 1 and found[0] == self._returned:
            found[0].unlink()
        self.progress, _ = self._go_back()
        self._returned, self._unsaved = resume.path(self.directory, self.progress.step), True
        done = f"step {failed.step}: {fault}; back to step {self.progress.step}"
        self.progress.seconds, self.progress.rollbacks = failed.seconds, [*failed.rollbacks, done]
        return f"{done} with the learning rate at {self._lr():.3g} ({len(failed.rollbacks) + 1} of {guard.rollbacks})"

    def _go_back(self) -> tuple[Progress, list[str]]:
        """Bring every process to the newest state that is whole, as the first process reads it."""
        modules = self._modules()

        def read() -> tuple[Any, ...]:
            found = resume.newest(self.directory, modules, self.optimizer)
            states = {name: module.state_dict() for name, module in modules.items()}
            return (found, states, self.optimizer.state_dict()) if self.group.size > 1 else (found,)

        found, *states = self.group.from_first(read)
        if not self.group.leads:
            for name, module in modules.items():
                module.load_state_dict(states[0][name])
            self.optimizer.load_state_dict(states[1])
        return found

    def _validation_is_due(self) -> bool:
        done = self.progress.validation[-1]["step"] if self.progress.validation else None
        now = self.fraction() >= 1 or self.progress.step % self.config.trainer.validate_every == 0
        return now and done != self.progress.step

    def _checkpoint_is_whole(self) -> bool:
        """Whether the state that the run goes on from has its checkpoint: a run can be killed between the two."""
        try:
            checkpoint.load(checkpoint.path(self.directory, self.progress.step))
        except RequestError:
            return False
        return True

    def _save(self, records: Records) -> None:
        if not self.group.leads:
            return
        state = resume.path(self.directory, self.progress.step)
        resume.save(state, self._modules(), self.optimizer, self.progress)
        card = self.card | {
            "training": asdict(self.config.trainer)
            | {
                "precision": str(self.hardware.dtype).removeprefix("torch."),
                "seed": self.config.seed,
                "steps": self.progress.step,
                "images": self.progress.step * self.config.trainer.batch,
                "seconds": round(self.progress.seconds, 1),
                "rollbacks": self.progress.rollbacks,
            },
            "validation": self.progress.validation,
        }
        average = self.average.module
        assert isinstance(average, Transformer)
        records.checkpoint(self.progress.step, average, self.config.model, card)

    def _modules(self) -> dict[str, torch.nn.Module]:
        return {"network": self.network, "average": self.average}


def _named(means: Tensor) -> dict[str, float]:
    """Mean MEASURES by name: the losses; lattice and stability as their root mean squares, in levels of 255."""
    named = dict(zip(MEASURES, means.tolist(), strict=True))
    return named | {name: math.sqrt(named[name]) for name in ("lattice", "stability")}
