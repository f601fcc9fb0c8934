"""What requests about publications are made of."""

from app.api.fields import (
    MAX_ID,
    Answers,
    Body,
    Choice,
    Flag,
    Inner,
    Listed,
    Moment,
    NumberText,
    Text,
    between,
    count,
    length,
    row_id,
)
from app.api.paging import Paged
from app.api.when import When
from app.models import Status
from app.services import bulk, clips, publications
from app.services.history import State

_TITLE, _TEXT = length(clips.MAX_TITLE), length(clips.MAX_DESCRIPTION)


_RECIPE = "Как переделать клип под площадку: ключ или JSON рецепта; без него файл уходит как есть"


class DestinationBody(Body):
    """Аккаунт и что указать на нём; без текстов — те, что у клипа."""

    connection_id = row_id(required=True)
    title = Text(validate=_TITLE)
    text = Text(validate=_TEXT)
    options = Answers(metadata={"description": "Настройки площадки по имени: GET /connections/{id}"})
    recipe = Text(validate=length(2000), metadata={"description": _RECIPE})
    again = Flag(load_default=False, metadata={"description": "Опубликовать и там, где клип уже есть"})


class NewPublicationsBody(Body):
    """Куда: аккаунты, набор или то и другое; что указано для аккаунта, важнее набора."""

    clip_id = row_id(required=True)
    to = Listed(Inner(DestinationBody), load_default=list, validate=count(100, 0))
    set_id = row_id(load_default=None, allow_none=True)
    when = When(metadata={"description": "Без него — сейчас"})


class BatchItemBody(DestinationBody):
    """Одна публикация из многих."""

    clip_id = row_id(required=True)
    when = When(metadata={"description": "Без него — сейчас"})


class BatchBody(Body):
    items = Listed(Inner(BatchItemBody), required=True, validate=count(bulk.MAX_PUBLICATIONS))


class PublicationFilters(Paged):
    state = Choice(State, metadata={"description": "Несколько статусов сразу"})
    status = Choice(Status)
    clip_id = NumberText(validate=between(1, MAX_ID))
    connection_id = NumberText(validate=between(1, MAX_ID))
    since = Moment(data_key="from", metadata={"description": "Срок не раньше"})
    until = Moment(data_key="to", metadata={"description": "Срок раньше этого времени"})


class MoveBody(Body):
    when = When(required=True)


class ConfirmBody(Body):
    url = Text(load_default="", validate=length(publications.MAX_URL), metadata={"description": "Ссылка на клип"})
