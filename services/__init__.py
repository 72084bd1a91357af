"""Services: builds the use cases of one unit of work; exports the classes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from datetime import datetime
from typing import TypeVar

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ab_testing_service import ABTestingService
from database import current_revision, head_revision, migrate, session_scope
from errors import Unavailable
from notification_service import NotificationService
from outbox import RANG
from services.account_mail import AccountMail
from services.account_service import AccountService
from services.action_queue import ActionQueue
from services.analytics_service import AnalyticsService
from services.audit_log import AuditLog
from services.board_service import BoardService
from services.campaign_service import CampaignService
from services.bulk_service import BulkService
from services.calendar_feeds import CalendarFeeds
from services.calendar_service import CalendarService
from services.catalog_service import CatalogService
from services.delivery_log import DeliveryLog
from services.destination_service import DestinationService
from services.diary_service import DiaryService
from services.experiment_book import ExperimentBook
from services.experiment_people import ExperimentPeople
from services.experiment_plans import ExperimentPlans
from services.experiment_results import ExperimentResults
from services.export_service import ExportService
from services.import_desk import ImportDesk
from services.import_reading import ImportReading
from services.import_service import ImportService
from services.job_service import JobService
from services.lead_book import LeadBook
from services.lead_choices import LeadChoices
from services.lead_export import LeadExport
from services.lead_list import LeadList
from services.lead_moment import LeadMoment
from services.lead_scores import LeadScores
from services.lead_service import LeadService
from services.lead_table import LeadTable
from services.lead_story import LeadStory
from services.login_guard import LoginGuard
from services.merge_service import MergeService
from services.one_time_links import OneTimeLinks
from services.people_service import PeopleService
from services.pipeline_health import PipelineHealth
from services.person_record import PersonRecord
from services.pipeline_service import PipelineService
from services.prediction_service import PredictionService
from services.privacy_service import PrivacyService
from services.question_service import QuestionService
from services.replay_service import ReplayService
from services.request_service import RequestService
from services.resources import Resources
from services.routing_service import RoutingService
from services.saved_views import SavedViews
from services.scoring_service import ScoringService
from services.session_store import SessionStore
from services.sign_in_service import SignInService
from services.widget_service import WidgetService
from services.workflow_drafts import WorkflowDrafts
from services.workflow_history import WorkflowHistory
from services.workflow_preview import WorkflowPreview
from services.work_log import WorkLog
from services.workflow_service import WorkflowService
from services.workflow_trial import WorkflowTrial

__all__ = [
    "ABTestingService",
    "AccountMail",
    "AccountService",
    "AnalyticsService",
    "AuditLog",
    "CampaignService",
    "BulkService",
    "CatalogService",
    "DeliveryLog",
    "DestinationService",
    "DiaryService",
    "ExperimentBook",
    "ExperimentResults",
    "ExportService",
    "ImportService",
    "JobService",
    "LeadBook",
    "LeadChoices",
    "LeadExport",
    "LeadList",
    "LeadScores",
    "LeadService",
    "LeadTable",
    "LoginGuard",
    "MergeService",
    "NotificationService",
    "OneTimeLinks",
    "PeopleService",
    "PipelineService",
    "PredictionService",
    "PrivacyService",
    "QuestionService",
    "ReplayService",
    "RequestService",
    "Resources",
    "RoutingService",
    "SavedViews",
    "ScoringService",
    "Services",
    "SignInService",
    "WidgetService",
    "WorkflowDrafts",
    "WorkflowHistory",
    "WorkflowPreview",
    "WorkflowService",
    "WorkflowTrial",
    "prepare",
    "unit_of_work",
]

S = TypeVar("S")


class Services:
    """The use cases of one unit of work, each built when it is first asked for."""

    def __init__(self, session: Session, resources: Resources) -> None:
        self.session = session
        self.resources = resources

    def now(self) -> datetime:
        """The present moment."""
        return self.resources.clock.now()

    def make(self, service: type[S]) -> S:
        """A use case of this unit."""
        return service(self.session, self.resources)  # type: ignore[call-arg]

    @cached_property
    def accounts(self) -> AccountService:
        """People and keys."""
        return self.make(AccountService)

    @cached_property
    def account_mail(self) -> AccountMail:
        """Letters to people who work here."""
        return self.make(AccountMail)

    @cached_property
    def audit_log(self) -> AuditLog:
        """Who changed what."""
        return self.make(AuditLog)

    @cached_property
    def action_queue(self) -> ActionQueue:
        """What to do right now."""
        return self.make(ActionQueue)

    @cached_property
    def health(self) -> PipelineHealth:
        """How the open leads stand."""
        return self.make(PipelineHealth)

    @cached_property
    def stories(self) -> LeadStory:
        """A lead told from its facts."""
        return self.make(LeadStory)

    @cached_property
    def moments(self) -> LeadMoment:
        """A lead as it stood."""
        return self.make(LeadMoment)

    @cached_property
    def work(self) -> WorkLog:
        """Activities, with what they do to the scores."""
        return self.make(WorkLog)

    @cached_property
    def analytics(self) -> AnalyticsService:
        """Counts and rates."""
        return self.make(AnalyticsService)

    @cached_property
    def board(self) -> BoardService:
        """The board of stages."""
        return self.make(BoardService)

    @cached_property
    def campaigns(self) -> CampaignService:
        """Campaigns and who works them."""
        return self.make(CampaignService)

    @cached_property
    def calendar(self) -> CalendarService:
        """Follow-ups by their days."""
        return self.make(CalendarService)

    @cached_property
    def calendar_feeds(self) -> CalendarFeeds:
        """Where calendar programs read them."""
        return self.make(CalendarFeeds)

    @cached_property
    def catalog(self) -> CatalogService:
        """Products and calls to action."""
        return self.make(CatalogService)

    @cached_property
    def experiments(self) -> ABTestingService:
        """A/B tests."""
        return self.make(ABTestingService)

    @cached_property
    def experiment_book(self) -> ExperimentBook:
        """Experiments as marketers keep them."""
        return self.make(ExperimentBook)

    @cached_property
    def experiment_people(self) -> ExperimentPeople:
        """Who is one person on several devices."""
        return self.make(ExperimentPeople)

    @cached_property
    def experiment_plans(self) -> ExperimentPlans:
        """What they would take."""
        return self.make(ExperimentPlans)

    @cached_property
    def experiment_results(self) -> ExperimentResults:
        """What came of them."""
        return self.make(ExperimentResults)

    @cached_property
    def exports(self) -> ExportService:
        """Leads out."""
        return self.make(ExportService)

    @cached_property
    def imports(self) -> ImportService:
        """Leads in, by the file."""
        return self.make(ImportService)

    @cached_property
    def import_reading(self) -> ImportReading:
        """The rows of files that are being imported."""
        return self.make(ImportReading)

    @cached_property
    def import_desk(self) -> ImportDesk:
        """Files before and after they are imported."""
        return self.make(ImportDesk)

    @cached_property
    def book(self) -> LeadBook:
        """Leads as sales works them."""
        return self.make(LeadBook)

    @cached_property
    def lead_list(self) -> LeadList:
        """Leads by filter and page."""
        return self.make(LeadList)

    def lead_table(self, reader: str) -> LeadTable:
        """Leads by a view, for somebody of this address."""
        return LeadTable(self.session, self.resources, reader=reader)

    @cached_property
    def lead_choices(self) -> LeadChoices:
        """What leads can be filtered by."""
        return self.make(LeadChoices)

    @cached_property
    def saved_views(self) -> SavedViews:
        """Filters of leads under a name."""
        return self.make(SavedViews)

    @cached_property
    def bulk(self) -> BulkService:
        """Many leads at once."""
        return self.make(BulkService)

    @cached_property
    def merges(self) -> MergeService:
        """Two leads that are one person."""
        return self.make(MergeService)

    @cached_property
    def lead_export(self) -> LeadExport:
        """Leads of a view, out."""
        return self.make(LeadExport)

    @cached_property
    def leads(self) -> LeadService:
        """Leads as conversations bear them."""
        return self.make(LeadService)

    @cached_property
    def lead_scores(self) -> LeadScores:
        """What the scoring profiles make of a lead."""
        return self.make(LeadScores)

    @cached_property
    def deliveries(self) -> DeliveryLog:
        """What was sent where."""
        return self.make(DeliveryLog)

    @cached_property
    def destinations(self) -> DestinationService:
        """Who hears of leads."""
        return self.make(DestinationService)

    @cached_property
    def diary(self) -> DiaryService:
        """Activities and follow-ups."""
        return self.make(DiaryService)

    @cached_property
    def pipeline(self) -> PipelineService:
        """Stages, owners, snooze, outcomes."""
        return self.make(PipelineService)

    @cached_property
    def predictions(self) -> PredictionService:
        """Probabilities with their reasons, and the models."""
        return self.make(PredictionService)

    @cached_property
    def jobs(self) -> JobService:
        """Work in the background."""
        return self.make(JobService)

    @cached_property
    def notifications(self) -> NotificationService:
        """Alerts."""
        return self.make(NotificationService)

    @cached_property
    def store(self) -> SessionStore:
        """Sessions under their lock."""
        return self.make(SessionStore)

    @cached_property
    def privacy(self) -> PrivacyService:
        """Erasure."""
        return self.make(PrivacyService)

    @cached_property
    def records(self) -> PersonRecord:
        """All that is kept about a person."""
        return self.make(PersonRecord)

    @cached_property
    def questions(self) -> QuestionService:
        """The conversation."""
        return self.make(QuestionService)

    @cached_property
    def replays(self) -> ReplayService:
        """The proof that nothing has to be believed."""
        return self.make(ReplayService)

    @cached_property
    def requests(self) -> RequestService:
        """Stored replies."""
        return self.make(RequestService)

    @cached_property
    def people(self) -> PeopleService:
        """Who works here."""
        return self.make(PeopleService)

    @cached_property
    def links(self) -> OneTimeLinks:
        """Doors that open once."""
        return self.make(OneTimeLinks)

    @cached_property
    def login_guard(self) -> LoginGuard:
        """How often somebody may try to sign in."""
        return self.make(LoginGuard)

    @cached_property
    def routing(self) -> RoutingService:
        """New leads to people in turn."""
        return self.make(RoutingService)

    @cached_property
    def sign_ins(self) -> SignInService:
        """Who is signed in."""
        return self.make(SignInService)

    @cached_property
    def scoring(self) -> ScoringService:
        """Points."""
        return self.make(ScoringService)

    @cached_property
    def widget(self) -> WidgetService:
        """What the widget shows."""
        return self.make(WidgetService)

    @cached_property
    def workflows(self) -> WorkflowService:
        """Versions of the workflow."""
        return self.make(WorkflowService)

    @cached_property
    def workflow_drafts(self) -> WorkflowDrafts:
        """Workflows while people change them."""
        return self.make(WorkflowDrafts)

    @cached_property
    def workflow_history(self) -> WorkflowHistory:
        """Every version there was."""
        return self.make(WorkflowHistory)

    @cached_property
    def workflow_preview(self) -> WorkflowPreview:
        """Conversations under a draft that leave no trace."""
        return self.make(WorkflowPreview)

    @cached_property
    def workflow_trial(self) -> WorkflowTrial:
        """A draft tried on the past."""
        return self.make(WorkflowTrial)


@contextmanager
def unit_of_work(resources: Resources, *, read_only: bool = False) -> Iterator[Services]:
    """The use cases of one transaction: committed when the block ends, undone when it raises."""
    prepare(resources)
    with session_scope(resources.engine, read_only=read_only) as session:
        yield Services(session, resources)
        SessionStore(session, resources).flush()
    if session.info.pop(RANG, False):
        resources.doorbell.ring()


def prepare(resources: Resources) -> None:
    """Once a process: the database is migrated and holds the shipped workflow.

    The embedded database is brought up to date here; a server is only looked at, because there
    the operator decides when. A database of a later release is taken as it is.
    """
    readiness = resources.readiness
    if readiness.done:
        return
    with readiness.lock:
        if readiness.done:
            return
        if resources.settings.is_embedded:
            migrate(resources.engine)
        elif current_revision(resources.engine) in (None, *_older_revisions()):
            raise Unavailable(
                "The database is not migrated; run: alembic upgrade head", code="not_migrated"
            )
        _keep_shipped(resources)
        readiness.done = True


def _keep_shipped(resources: Resources) -> None:
    """Of several processes that start together one stores the rows; the others find them."""
    for attempt in (1, 2):
        try:
            with session_scope(resources.engine) as session:
                WorkflowService(session, resources).keep_shipped()
                DestinationService(session, resources).keep_defaults()
            return
        except IntegrityError:
            if attempt == 2:
                raise


def _older_revisions() -> list[str]:
    """The migrations before the newest; ours are numbered."""
    return [f"{number:04d}" for number in range(1, int(head_revision()))]
