"""One deskmate.toml, one typed object: defaults < file < --set section.key=value. Secrets come from the environment."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from data.errors import ConfigError
from data.rules import Rules, checked

EngineName = Literal["auto", "vllm", "llamacpp", "remote"]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Desk(Section):
    """Whose desk it is and where its past tickets and articles lie. `reviews`: the sheet of `deskmate review`, filled
    in. `columns` maps our names to a CSV's. `own`: e-mail domains, addresses and telephone numbers of the desk, which
    are not redacted. `names_model`: a spaCy model that finds more names than the built-in finder."""

    name: str = "Kettlewick"
    tickets: str = "data/sample/tickets.jsonl"
    articles: str = "data/sample/articles"
    reviews: str = "data/sample/reviews.csv"
    about: str = "an online shop for coffee and tea gear"
    columns: dict[str, str] = {}
    own: Annotated[tuple[str, ...], AfterValidator(checked)] = ()
    names_model: str = ""
    first_reply_only: bool = False
    heldout: int = 50
    validation: int = 40
    limit_train: int = 0

    def articles_beside(self, tickets: Path | None) -> Path | None:
        """The articles to import with `tickets` (None: those of the settings): the sample shop's only with its own."""
        return self._beside(tickets, self.articles, Desk().articles)

    def reviews_beside(self, tickets: Path | None) -> Path | None:
        """The sheet of reviews that goes with `tickets`, likewise."""
        return self._beside(tickets, self.reviews, Desk().reviews)

    def _beside(self, tickets: Path | None, path: str, sample: str) -> Path | None:
        return Path(path) if path and (self._sample(tickets) or path != sample) else None

    def is_named_as_the_sample(self, tickets: Path | None) -> bool:
        """Whether these are another desk's tickets under the sample shop's name."""
        return not self._sample(tickets) and self.name == Desk().name

    def _sample(self, tickets: Path | None) -> bool:
        return tickets is None and self.tickets == Desk().tickets

    @property
    def rules(self) -> Rules:
        """For redaction, at import and at serving."""
        return Rules(self.own, self.names_model)


class Model(Section):
    """A model and what serves it. `name`: a starter name, a Hugging Face id, or a local directory or GGUF file."""

    name: str
    engine: EngineName = "auto"
    url: str = ""
    context: int = Field(2048, ge=256)
    parallel: int = Field(4, ge=1)
    threads: int = Field(0, ge=0)
    lookup: int = Field(0, ge=0, description="tokens llama.cpp guesses at once by looking up in the prompt; 0 is none")
    draft: Literal["auto", "student", "none"] = Field(
        "auto", description="whether the student guesses ahead for its teacher; auto: where that was measured to pay"
    )
    replicas: int = Field(1, ge=1, description="of a teacher in vLLM: so many teach together, as a Ray Data job")
    euros_per_hour: float = 0.08


class Retrieval(Section):
    """What a brief is made of (bot/knowledge.py)."""

    model: str = "starter-embeddings"
    cross_encoder: str = Field("", description="a CrossEncoder, by folder or hub id, that chooses among the nearest")
    tickets: int = Field(2, ge=0, description="past tickets in a brief")
    articles: int = Field(2, ge=0, description="article passages in a brief")
    words: int = Field(80, ge=20, description="at most this many words of each are shown")
    ready: int = Field(160, ge=0, description="briefs asked for most: preferred, and read ahead; about 10 MB each")
    prefer: float = Field(0.1, ge=0, description="how much nearer, in cosine, a brief must be than one of those")
    margin: float = Field(0.2, ge=0, description="how much more a brief must be worth than the nearest to be taken")
    far: float = Field(0.05, ge=0, le=0.5, description="share of past questions that are too far from what was known")


class Teaching(Section):
    limit: int = Field(10, ge=0, description="train exchanges the teacher answers; 0 is all")
    samples: int = Field(1, ge=1, le=64, description="answers asked for each of them; 4 to 8 with temperature 0.7 to 1")
    hindsight: bool = True
    human: bool = Field(False, description="our agents' own replies are candidates")
    extract: bool = Field(False, description="sentences of the evidence, chosen by our agents' replies, are candidates")
    max_tokens: int = 180
    temperature: float = Field(0.3, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    soft_labels: Literal["auto", "on", "off"] = "auto"  # auto: where the student can learn them (capturing.py)
    min_support: float = Field(0.6, ge=0, le=1, description="share of an answer's content words seen in its evidence")
    deferral_share: float = Field(0.0, ge=0, le=0.5, description="at most this share of the rows teach handing over")
    past: bool = Field(True, description="what was said the last time, the first of the notes, is a candidate")
    rows: int = Field(88, ge=0, description="exchanges taught, those with the best answers; 0 is all")
    each: int = Field(
        1, ge=1, le=4, description="answers taught of one exchange, if they are distinct and about as good"
    )


class OnPolicy(Section):
    """Of stage C: the student answers some prompts itself, and the teacher says what it would have said."""

    steps: int = Field(100, ge=1)
    rows: int = Field(8, ge=1, description="answers of one step")
    given: float = Field(0.25, ge=0, le=0.5, description="share of them that are the corpus's, not the student's own")
    max_tokens: int = Field(96, ge=1, description="an answer of the student's is cut there")
    learning_rate: float = Field(2e-4, gt=0)


class Training(Section):
    """Stage A learns the answers alone, B the teacher's probabilities too (A where the corpus has none that fit), C the
    teacher's probabilities of what the student says itself, where both have one vocabulary."""

    stages: tuple[Literal["A", "B", "C"], ...] = Field(("B",), min_length=1)
    on_policy: OnPolicy = OnPolicy()
    method: Literal["lora", "rslora", "dora", "full"] = "lora"
    rank: int = Field(32, ge=1)
    epochs: float = Field(1.0, gt=0, description="of each stage")
    patience: int = Field(0, ge=0, description="stop after so many epochs without a lower held-out loss; 0 is never")
    learning_rate: float = Field(1e-3, gt=0)
    alpha: float = Field(0.2, ge=0, le=1, description="share of the answer itself where there are soft labels")
    batch_tokens: int = Field(900, ge=1, description="of one optimizer step")
    parts: int = Field(1, ge=1, description="a step is computed in so many parts: less memory, or more processes")
    max_length: int = 1024
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    checkpoint_activations: bool = Field(False, description="less memory for a third more time")
    checkpoint_steps: int = Field(20, ge=1)
    seed: int = 7


class Optimise(Section):
    """How the student is written for serving. "auto" tries every level and keeps the fastest of those within tolerance
    (distillation/levels.py), which takes about a minute more."""

    quantisation: Literal["auto", "F16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0"] = "Q8_0"
    most_kl: float = Field(0.01, gt=0, description="nats between the trained and the served student, at most")
    least_agreement: float = Field(0.97, ge=0, le=1, description="of their likeliest tokens, at least")


class Evaluation(Section):
    limit: int = Field(14, ge=1)
    max_tokens: int = 160
    resamples: int = 10_000
    seed: int = 7


class Serving(Section):
    host: str = "127.0.0.1"
    port: int = 8000
    start_teacher: bool = True
    first_token_seconds: float = 15.0
    between_tokens_seconds: float = 5.0
    teacher_first_token_seconds: float = 120.0
    total_seconds: float = 240.0
    hold_tokens: int = Field(
        1, ge=1, description="the student's first tokens, held back in case it reads out its notes' frame or hands over"
    )
    target_good: float = Field(0.7, ge=0, le=1, description="share of good replies to aim at (eval/calibration.py)")
    unreviewed: float = Field(
        0.15, ge=0, le=1, description="least worth of notes to answer from until enough were reviewed"
    )
    ask_teacher: Literal["auto", "always", "never"] = Field(
        "auto", description="what the student is unsure of; auto: where enough of its replies to the test are sound"
    )
    most_wrong: float = Field(0.1, ge=0, le=1, description="share of misleading ones that readers may find, at most")
    max_tokens: int = 200
    require_key: bool = False


class Config(Section):
    workspace: Path = Path("workspace")
    desk: Desk = Desk()
    teacher: Model = Model(name="starter-teacher")
    student: Model = Model(name="starter-student", parallel=4, lookup=12)
    retrieval: Retrieval = Retrieval()
    teaching: Teaching = Teaching()
    training: Training = Training()
    optimise: Optimise = Optimise()
    evaluation: Evaluation = Evaluation()
    serving: Serving = Serving()


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """The configuration; without `path`, ./deskmate.toml if it exists. Raises ConfigError, naming the key at fault."""
    file = path or Path("deskmate.toml")
    values: dict[str, Any] = {}
    if path is not None or file.is_file():
        values = _read(file)
    for override in overrides:
        _set(values, override)
    try:
        return Config.model_validate(_merge(Config().model_dump(), values))
    except ValidationError as error:
        raise ConfigError(_explain(error, file if file.is_file() else None)) from error


def _merge(defaults: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """`values` over `defaults`, section by section: one key of a section leaves its others as they were."""
    merged = dict(defaults)
    for key, value in values.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict) and key != "columns":
            value = _merge(below, value)
        merged[key] = value
    return merged


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{file}: cannot read it as TOML ({error})") from error


def _set(values: dict[str, Any], override: str) -> None:
    key, sign, text = override.partition("=")
    if not sign or not key:
        raise ConfigError(f"--set {override}: write it as section.key=value")
    try:
        value: Any = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, last = key.strip().split(".")
    for name in sections:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {override}: {name} is not a section")
    values[last] = value


def _explain(error: ValidationError, file: Path | None) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    where = f"{file}: " if file else ""
    if first["type"] != "extra_forbidden":
        told = first["msg"] if "error" not in first.get("ctx", {}) else str(first["ctx"]["error"])  # our own words
        return f"{where}{key}: {told} (got {first.get('input')!r})"
    near = difflib.get_close_matches(str(first["loc"][-1]), _keys(first["loc"][:-1]), n=1, cutoff=0.4)
    return f"{where}unknown key {key}" + (f"; did you mean {near[0]}?" if near else "")


def _keys(location: Sequence[Any]) -> list[str]:
    model: Any = Config
    for name in location:
        model = model.model_fields[str(name)].annotation
    return list(model.model_fields)
