"""What runs in the background: each job and each periodic task is one line. RQ imports them by these names."""

PUBLISH = "publish"
BULK = "bulk"  # publications of users who have enough of theirs in PUBLISH
CLIPS = "clips"
PICTURES = "pictures"  # a user waits for them in front of a page
REMOVALS = "removals"
CHORES = "chores"  # small things that must not wait for uploads
MAILS = "mails"
STATS = "stats"
QUESTIONS = "questions"  # a user waits for them in front of a page
WEBHOOKS = "webhooks"
IMPORTS = "imports"  # from servers of other people, which may be slow
INBOX = "inbox"
MEDIA = "media"  # encoding, for minutes
COPIES = "copies"  # renditions without encoding, which wait for no encoding
BOT = "bot"  # what people write to the installation's own and press: a request of it waits for them
TICKS = "ticks"
_FOR_CLIPS = (PUBLISH, BULK, PICTURES, CLIPS, COPIES, MEDIA, IMPORTS, INBOX, REMOVALS)
QUEUES = (*_FOR_CLIPS, CHORES, MAILS, STATS, QUESTIONS, WEBHOOKS, BOT, TICKS)

# A job takes the id of a row, and waits in this queue for a worker.
JOBS = {
    "app.jobs.publish": PUBLISH,
    "app.jobs.probe": CLIPS,
    "app.jobs.pictures.make": PICTURES,
    "app.jobs.mail_recovery": CHORES,  # not behind the notifications: its user waits for it
    "app.jobs.remove_old": REMOVALS,
    "app.jobs.erase_file": REMOVALS,
    "app.jobs.refresh_token": CHORES,
    "app.jobs.revoke_token": CHORES,
    "app.jobs.mail_notification": MAILS,
    "app.jobs.read_stats": STATS,
    "app.jobs.apply_rules": CHORES,
    "app.jobs.ask_platform": QUESTIONS,
    "app.jobs.deliveries.deliver_webhooks": WEBHOOKS,
    "app.jobs.arrivals.import_clip": IMPORTS,
    "app.jobs.arrivals.read_inbox": INBOX,
    "app.jobs.renditions.make": MEDIA,
    "app.jobs.renditions.copy": COPIES,
    "app.jobs.send_to_chat": CHORES,
    "app.jobs.poll_bot": BOT,
}
# A periodic task takes nothing and is one unit of work, begun every so many seconds. All share one process, which does
# not fork: only SQL and wake-ups, so that uploads never delay them.
PERIODIC = {
    "app.jobs.release_publications": 1,
    "app.publishing.lease_expiry.expire_leases_of_dead_workers": 1,
    "app.publishing.incidents.nominate": 1,
    "app.notifications.create.read_events": 1,
    "app.services.rule_checks.read_events": 1,
    "app.jobs.wake_questions": 1,
    "app.services.telegram_messages.read_events": 1,
    "app.services.webhook_events.read": 1,
    "app.jobs.wake_bot": 1,
    "app.jobs.wake_webhooks": 1,
    "app.jobs.renditions.wake_renditions": 1,
    "app.jobs.pictures.wake_pictures": 2,
    "app.jobs.finish_undos": 2,
    "app.jobs.release_stats": 3,
    "app.publishing.wake_times.clamp": 5,
    "app.jobs.wake_probes": 5,
    "app.jobs.wake_imports": 5,
    "app.jobs.wake_inbox": 5,
    "app.jobs.wake_notification_mails": 5,
    "app.jobs.wake_recovery_mails": 5,
    "app.jobs.wake_revocations": 5,
    "app.jobs.wake_rules": 5,
    "app.jobs.wake_messages": 5,
    "app.platform_access.revocations.sweep": 20,
    "app.jobs.wake_refreshes": 20,
    "app.notifications.reminders.notify_upcoming": 60,
    "app.jobs.wake_removals": 600,
    "app.jobs.wake_erasures": 600,
    "app.models.event.sweep": 600,
    "app.notifications.inbox.sweep": 600,
    "app.services.audit_log.sweep": 600,
    "app.services.connections.sweep": 600,
    "app.services.consents.sweep": 600,
    "app.services.heartbeats.sweep": 600,
    "app.services.idempotency.sweep": 600,
    "app.services.questions.sweep": 600,
    "app.services.imports.sweep": 600,
    "app.services.inbox.sweep": 600,
    "app.services.passkey_challenges.sweep": 600,
    "app.services.plan_import.sweep": 600,
    "app.services.recovery.sweep": 600,
    "app.services.rule_journal.sweep": 600,
    "app.services.sessions.sweep": 600,
    "app.services.telegram_chats.sweep": 600,
    "app.services.undo.sweep": 600,
    "app.services.webhook_events.sweep": 600,
    "app.jobs.sweep_uploads": 600,
}
