from app.models.account_set import AccountSet, AccountSetMember
from app.models.api_key import ApiKey, IdempotentRequest, Scope
from app.models.audit_event import AuditEvent
from app.models.clip import FACTS_VERSION, Clip, ClipStatus, Erasure, Source, Upload
from app.models.clip_import import OPEN_IMPORTS, ClipImport, ImportState
from app.models.connection import REVOCATION_KEPT, ConnectionStatus, OAuthState, PlatformConnection, Revocation
from app.models.event import Event, EventCursor, record_event, record_events
from app.models.heartbeat import Heartbeat
from app.models.inbox_file import InboxFile, InboxState
from app.models.incident import Incident
from app.models.incoming_hook import HookDelivery, IncomingHook
from app.models.notification import Notification
from app.models.passkey import Passkey, PasskeyChallenge
from app.models.picture import ClipPicture, PictureKind, PictureState, cover_key, files_of, thumbnail_key
from app.models.plan_import import PlanImport
from app.models.publication import (
    LIVE,
    LIVE_SQL,
    UNDER_WAY_SQL,
    Publication,
    PublicationEvent,
    PublicationStep,
    Stage,
    Status,
    live_places,
    step_sealed_for,
    touch,
    touch_all,
)
from app.models.question import Question, QuestionState
from app.models.render import Render
from app.models.rendition import Rendition, RenditionState
from app.models.rule import Rule, RuleCheck, RuleMember, RuleRun, RunState, WhenKind
from app.models.second_factor import RecoveryCode, SecondFactorFailures, TotpSecret
from app.models.slot import Slot
from app.models.soft_deletion import UNDO_TIME, WITH_DELETED
from app.models.stats import DailyIncrement, StatsSample
from app.models.telegram_chat import TelegramChat, TelegramCode, TelegramMessage, TelegramPoll
from app.models.types import fold
from app.models.undo import Undo, UndoKind, UndoState
from app.models.user import DEMO_DOMAIN, Recovery, User, hold_plan, is_demo, lock_plan, lock_user
from app.models.user_session import KnownBrowser, UserSession
from app.models.webhook import PING, DeliveryState, PauseReason, Webhook, WebhookDelivery, WebhookState
