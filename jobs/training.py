"""Training and predicting in the background: reads, learns while no transaction is open, writes."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from engine.vocabulary import ModelKind
from errors import LeadlineError
from models import Job
from services import Services, unit_of_work
from services.job_service import SCHEDULE, Progress
from services.model_store import InService, load
from services.prediction_settings import PredictionSettings
from services.resources import Resources
from services.training_rows import Example

if TYPE_CHECKING:
    from ml.predict import Model

log = structlog.get_logger(__name__)

# A training may take minutes; who was killed in it is followed by another no later than this.
LONGEST_TRAINING = timedelta(minutes=15)
# What one unit may take: on SQLite, visitors wait for it.
LONGEST_UNIT = 0.15
READ_AT_ONCE, PREDICTED_AT_ONCE = 200, 20
NO_NEWS = "No outcome was recorded since the last training."


class Training:
    """One training: everything read in short units, a model learned outside of any."""

    def __init__(self, resources: Resources, job: Job | None = None) -> None:
        self.resources = resources
        self.job = job

    def run(self) -> Any:
        """What was learned, to be written down by `PredictionService.keep`."""
        # Here, for only who trains should wait for scikit-learn.
        from ml.features import Choice
        from ml.train import check_installed
        from services.model_training import learn
        from services.model_watch import Incumbent

        kind = self._kind()
        check_installed(kind)
        examples = self._read()
        found, earlier = self._in_service(), self._earlier()
        with unit_of_work(self.resources, read_only=True) as services:
            now, store = services.now(), services.predictions.store

            def incumbent(model: Model, previous: Incumbent | None = None) -> Incumbent:
                return Incumbent(str(model.id), model, store.data_to(str(model.id)), previous)

            incumbents = {
                stage: incumbent(model, incumbent(earlier[stage]) if stage in earlier else None)
                for stage, model in found.models.items()
            }
        return learn(examples, now, incumbents, choice=Choice(kind=kind))

    def compare(self) -> dict[str, Any]:
        """What each kind of estimator would have said of leads that it has not seen."""
        from ml.compare import compare
        from ml.features import Choice, Stage
        from services.model_training import ordered_rows

        examples = self._read()
        with unit_of_work(self.resources, read_only=True) as services:
            now = services.now()
        rows = ordered_rows(examples, now, Stage.BEFORE_CONTACT)
        return compare(rows.frame, rows.won, Choice(), self._kinds())

    def _asked(self) -> str | None:
        """The kind that the job names."""
        return self.job.payload.get("kind") if self.job is not None else None

    def _kind(self) -> str:
        return self._asked() or self._decided()

    def _decided(self) -> str:
        with unit_of_work(self.resources, read_only=True) as services:
            return services.make(PredictionSettings).decided().model_kind

    def _kinds(self) -> list[str]:
        """All there are, or the one that is named beside what learns now."""
        asked = self._asked()
        return list(dict.fromkeys([self._decided(), asked])) if asked else [*ModelKind]

    def _read(self) -> list[Example]:
        from ml.features import known

        examples: list[Example] = []
        place = done = 0
        with unit_of_work(self.resources, read_only=True) as services:
            total = services.predictions.rows.count_leads()
        while True:
            with unit_of_work(self.resources, read_only=True) as services:
                rows = services.predictions.rows
                ids = rows.leads_after(place, READ_AT_ONCE)
                examples += rows.examples(ids, lambda name: known(name) is not None)
            if not ids:
                return examples
            place, done = ids[-1], done + len(ids)
            self._say(Progress(done, total))

    def _in_service(self) -> InService:
        """The models to beat; one that cannot be read is no reason to have none for ever."""
        try:
            with unit_of_work(self.resources, read_only=True) as services:
                wanted = services.predictions.store.unloaded()
            load(self.resources, wanted)
        except LeadlineError as error:
            log.warning("the model in service cannot be read", reason=error.message)
        with unit_of_work(self.resources, read_only=True) as services:
            return services.predictions.store.in_service() or InService()

    def _earlier(self) -> dict[str, Model]:
        """The versions that can come back, by stage; one that cannot be read cannot."""
        from ml.registry import unpack

        with unit_of_work(self.resources, read_only=True) as services:
            store = services.predictions.store
            names = {stage: store.previous(stage) for stage in store.promoted()}
            files = {stage: store.stored(name) for stage, name in names.items() if name}
        found = {}
        for stage, file in files.items():
            try:
                found[stage] = unpack(file.data, file.sha256, model_id=file.id)
            except LeadlineError as error:
                log.warning("an earlier model cannot be read", reason=error.message)
        return found

    def _say(self, progress: Progress) -> None:
        if self.job is not None:
            with unit_of_work(self.resources) as services:
                services.jobs.keep(self.job, progress, LONGEST_TRAINING)
            self.job.done, self.job.total = progress.done, progress.total


def train_now(resources: Resources, *, by: str) -> dict[str, Any]:
    """Learn from all outcomes and keep what came of it; the reply of who asked and waits."""
    learned = Training(resources).run()
    with unit_of_work(resources) as services:
        return services.predictions.keep(learned.versions, learned.drift, learned.returned, by=by)


def prepare_training(resources: Resources, job: Job) -> Any:
    """The training that a job asks for, all but the writing; by the clock only where it is due."""
    with unit_of_work(resources) as services:
        due = job.requested_by != SCHEDULE or services.predictions.store.has_news()
        services.jobs.keep(job, Progress(job.done, job.total), LONGEST_TRAINING)
    if not due:
        skipped = {"model_id": None, "promoted": False, "reasons": [NO_NEWS]}
        return lambda services, job: Progress(result=skipped)
    if job.payload.get("compare"):
        compared = Training(resources, job).compare()
        return lambda services, job: _keep_comparison(services, job, compared)
    learned = Training(resources, job).run()

    def write(services: Services, job: Job) -> Progress:
        kept = services.predictions.keep(
            learned.versions, learned.drift, learned.returned, by=job.requested_by
        )
        return Progress(job.done, job.total, result={**kept, "notes": list(learned.notes)})

    return write


def _keep_comparison(services: Services, job: Job, compared: dict[str, Any]) -> Progress:
    services.make(PredictionSettings).keep_comparison(compared, by=job.requested_by)
    return Progress(job.done, job.total, result=compared)


def prepare_predicting(resources: Resources, job: Job) -> Any:
    """One more batch of leads, once the models have been read."""
    with unit_of_work(resources, read_only=True) as services:
        wanted = services.predictions.store.unloaded()
    load(resources, wanted)
    return _predict


def _predict(services: Services, job: Job) -> Progress:
    predictions = services.predictions
    models = predictions.store.in_service()
    if models is None:
        # Promoted a moment ago, and read before the next unit; or there is none at all.
        waits = bool(predictions.store.promoted())
        return Progress(job.done, job.total, result=None if waits else {"predicted": job.done})
    named = job.payload.get("lead_ids")
    total = job.total or (len(named) if named is not None else predictions.rows.count_leads())
    place, done = int(job.payload.get("after", 0)), job.done
    until = time.monotonic() + LONGEST_UNIT
    while time.monotonic() < until:
        ids = _next(services, named, place)
        if not ids:
            return Progress(done, total, result={"predicted": done})
        # All leads are predicted where a model is new or a table came in: no lead's own news.
        done += predictions.predict(ids, models, news=named is not None)
        place = ids[-1]
    return Progress(done, total, place={"after": place})


def _next(services: Services, named: list[int] | None, place: int) -> list[int]:
    if named is None:
        return services.predictions.rows.leads_after(place, PREDICTED_AT_ONCE)
    return sorted(one for one in named if one > place)[:PREDICTED_AT_ONCE]
