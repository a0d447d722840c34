"""The settings of impasto-vote."""

from dataclasses import field
from typing import Annotated, ClassVar

from pydantic.dataclasses import dataclass

from impasto.configs.errors import UsageError
from impasto.configs.schema.fields import CONFIG, Key, shown

_PAGE = {"models": "models=[FILE,FILE]", "photos": "photos=DIR", "output": "output=DIR"}


@dataclass(config=CONFIG)
class VoteConfig:
    """Write a web page for blind votes between exported models, or count the votes that it saved."""

    examples: ClassVar = (
        "impasto-vote models=[zoo/udnie,zoo/udnie/tiny] photos=photos output=page painting=udnie.jpg",
        "impasto-vote votes=[ann.json,bob.json]",
    )

    models: Annotated[
        list[str],
        Key(
            "Page: at least two exported .onnx or .ort files, bundle directories, zoo/PAINTING, zoo/PAINTING/tiny or "
            "zoo/PAINTING/studio.",
            path="FILE|zoo/*",
        ),
    ] = field(default_factory=list)
    photos: Annotated[str | None, Key("Page: the folder of photos to stylize with each model.", path="DIR")] = None
    output: Annotated[str | None, Key("Page: the folder to write, new or empty.", path="DIR")] = None
    painting: Annotated[str | None, Key("Page: the image to show beside the photo.", path="FILE")] = None
    size: Annotated[int, Key("Page: the largest short side of its pictures, in pixels.", 64, 8192)] = 1080
    quality: Annotated[int, Key("Page: the JPEG quality of its pictures.", 1, 100)] = 95
    votes: Annotated[
        list[str],
        Key("Votes to count: the votes.json of each voter, also as a pattern, as in votes/*.json.", path="FILE"),
    ] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = {key: value for key in (*_PAGE, "painting") if (value := getattr(self, key))}
        if self.votes:
            if given:
                raise UsageError(f"votes and {next(iter(given))} exclude each other: count votes, or write a page")
            return
        if not given:
            raise UsageError(f"give {' '.join(_PAGE.values())} to write a page, or votes=[FILE] to count votes")
        if missing := [key for key in _PAGE if key not in given]:
            verb = "is" if len(missing) == 1 else "are"
            raise UsageError(f"{' and '.join(missing)} {verb} missing; add {' '.join(map(_PAGE.__getitem__, missing))}")
        if len(self.models) == 1:
            raise UsageError(f"models={shown(self.models)} is one model; name at least two to vote between")
        if twice := next((model for model in self.models if self.models.count(model) > 1), None):
            raise UsageError(f"models={shown(self.models)} contains {twice} twice; name models that differ")
