"""A publication whose file has to be made first: it waits without a worker, and uses up no try."""

from datetime import timedelta

from app import clock, platforms
from app.db import durable
from app.models import Publication, RenditionState, Stage, Status, touch
from app.publishing import recipes, renditions, state_machine
from app.publishing.lease import Lease

# Whoever makes the file wakes it; this is for a wake-up that is lost.
LOOK_AGAIN = timedelta(minutes=1)


# So long a publication waits for a cover that was chosen a moment ago.
COVER_PATIENCE = timedelta(minutes=1)
COVER_LOOK_AGAIN = timedelta(seconds=1)


def awaits_cover(publication: Publication) -> bool:
    wanted_at = publication.clip.cover_wanted_at if publication.clip else None
    return wanted_at is not None and wanted_at > clock.now() - COVER_PATIENCE and not publication.commit_in_doubt


def wait_for_cover(lease: Lease) -> None:
    lease.release(clock.now() + COVER_LOOK_AGAIN, stage=Stage.QUEUED)


@durable
def wait(lease: Lease, publication: Publication) -> None:
    """Gives the row back until its rendition is made, or its clip's facts are known."""
    clip, adapter = publication.clip, platforms.ADAPTERS[publication.platform]
    given_back = dict.fromkeys(("lease_until", "queued_at", "sent", "total", "outage_since"))
    wake_at, rendition_id = clock.now() + LOOK_AGAIN, None
    if recipes.lacks_facts(clip, adapter) and not publication.recipe:
        renditions.request_facts(clip.id)
    else:
        recipe = recipes.recipe_for(clip, adapter, publication.recipe)
        # Locked: what is made at this very moment finds this row waiting, or this finds it made.
        wanted = renditions.Want(clip, recipe, publication.due_at)
        made = renditions.want([wanted], failed_before=publication.started_at)[wanted.key]
        rendition_id = made.id
        if made.state != RenditionState.WAITING:
            wake_at = clock.now()
        else:
            given_back |= {"sent": made.progress, "total": 100} if made.progress else {}
    lease.write(wake_at=wake_at, stage=Stage.PREPARING, rendition_id=rendition_id, **given_back)
    if publication.stage != Stage.PREPARING:
        state_machine.note(publication.id, "preparing", status=Status.PUBLISHING)
    touch(publication.id)
