"""The emulated Bot API, with the unmodified python-telegram-bot."""

import pytest
import requests
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, NetworkError, RetryAfter

from tests.sandbox.conftest import BOT, BOT_ID, CHANNEL, sha256

PRIVATE = -1002000000007


def test_get_me_returns_the_bot(call_bot):
    me = call_bot(lambda bot: bot.get_me())
    assert (me.id, me.is_bot, me.username) == (BOT_ID, True, "vezde_demo_bot")


@pytest.mark.parametrize("token", ["110201543:wrong", "1:x"])
def test_a_wrong_token_is_unauthorized(call_bot, token):
    with pytest.raises(InvalidToken):
        call_bot(lambda bot: bot.get_me(), token=token)


def test_a_revoked_token_is_unauthorized(call_bot, sandbox):
    sandbox.control("revoke", platform="telegram", token=BOT)
    with pytest.raises(InvalidToken):
        call_bot(lambda bot: bot.get_me())


@pytest.mark.parametrize("name", ["@vezde_demo", "@VEZDE_demo", CHANNEL])
def test_a_channel_is_found_by_name_and_number(call_bot, name):
    chat = call_bot(lambda bot: bot.get_chat(name))
    assert (chat.id, chat.username, chat.type) == (CHANNEL, "vezde_demo", "channel")


def test_a_public_channel_is_visible_to_any_bot(call_bot):
    assert call_bot(lambda bot: bot.get_chat("@vezde_readonly")).title == "Только читать"


@pytest.mark.parametrize("name", ["@nowhere", "vezde_demo", -1009999999999, 42])
def test_an_unknown_chat_is_not_found(call_bot, name):
    with pytest.raises(BadRequest, match="Chat not found"):
        call_bot(lambda bot: bot.get_chat(name))


def test_an_administrator_can_read_its_rights(call_bot):
    member = call_bot(lambda bot: bot.get_chat_member("@vezde_demo", BOT_ID))
    assert (member.status, member.can_post_messages, member.user.id) == ("administrator", True, BOT_ID)


def test_the_right_to_post_can_be_taken_away(call_bot, sandbox):
    sandbox.control("rights", platform="telegram", account="@vezde_demo", can_post_messages=False)
    assert call_bot(lambda bot: bot.get_chat_member("@vezde_demo", BOT_ID)).can_post_messages is False
    with pytest.raises(BadRequest, match="Need administrator rights in the channel chat"):
        call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"))


def test_a_deep_link_makes_the_bot_an_administrator(call_bot, sandbox):
    link = f"{sandbox.url}/telegram-web/vezde_demo_bot?startchannel&admin=post_messages+edit_messages"
    page = requests.get(link, timeout=10).text
    assert "Добавить @vezde_demo_bot в канал" in page
    assert "Только читать" in page
    requests.post(link, data={"chat": "-1001000000002"}, timeout=10).raise_for_status()
    member = call_bot(lambda bot: bot.get_chat_member("@vezde_readonly", BOT_ID))
    assert (member.status, member.can_post_messages) == ("administrator", True)
    nobody = link.replace("vezde_demo_bot", "nobody_bot")
    assert requests.get(nobody, timeout=10).status_code == 404
    assert requests.post(nobody, data={"chat": "-1001000000002"}, timeout=10).status_code == 404


def test_members_are_hidden_from_other_bots(call_bot):
    with pytest.raises(BadRequest, match="Member list is inaccessible"):
        call_bot(lambda bot: bot.get_chat_member("@vezde_readonly", BOT_ID))


def test_a_video_is_posted(call_bot, sandbox, clip, jpeg):
    thumbnail, cover = jpeg(180, 320), jpeg(270, 480)
    message = call_bot(
        lambda bot: bot.send_video(
            "@vezde_demo",
            clip,
            caption="Закат над Волгой\n\nСнято с теплохода",
            duration=2,
            width=270,
            height=480,
            thumbnail=thumbnail,
            cover=cover,
            supports_streaming=True,
            disable_notification=True,
        )
    )
    assert (message.chat.id, message.chat.username) == (CHANNEL, "vezde_demo")
    assert (message.video.file_size, message.video.width, message.video.height) == (len(clip), 270, 480)
    assert message.caption == "Закат над Волгой\n\nСнято с теплохода"

    [post] = sandbox.posts
    assert post == {
        "platform": "telegram",
        "account": str(CHANNEL),
        "id": str(message.message_id),
        "title": "Закат над Волгой",
        "bytes": len(clip),
        "sha256": sha256(clip),
        "url": f"{sandbox.url}/telegram-web/vezde_demo/{message.message_id}",
        "created_at": post["created_at"],
        "visible": True,
        "facts": {
            "silent": True,
            "protected": False,
            "thumbnail": sha256(thumbnail),
            "cover": sha256(cover),
            "pictures_first": False,
        },
    }
    assert sandbox.drafts == []


def test_messages_are_numbered_in_each_chat(call_bot, sandbox):
    sandbox.control("chats", id=-1002, title="Второй", rights={str(BOT_ID): {"status": "creator"}}, username="vtoroi")
    sent = [call_bot(lambda bot, chat=chat: bot.send_video(chat, b"clip")) for chat in (CHANNEL, CHANNEL, -1002)]
    assert [message.message_id for message in sent] == [1, 2, 1]


def test_a_caption_has_at_most_1024_characters(call_bot, sandbox):
    call_bot(lambda bot: bot.send_video(CHANNEL, b"clip", caption="🌊" * 1024))
    with pytest.raises(BadRequest, match="caption is too long"):
        call_bot(lambda bot: bot.send_video(CHANNEL, b"clip", caption="🌊" * 1025))
    assert len(sandbox.posts) == 1
    assert sandbox.drafts == []


def test_an_oversized_video_is_refused(call_bot, sandbox):
    sandbox.control("options", telegram_max_mb=0.2)
    call_bot(lambda bot: bot.send_video(CHANNEL, bytes(200_000)))
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        call_bot(lambda bot: bot.send_video(CHANNEL, bytes(200_001)))
    assert [post["bytes"] for post in sandbox.posts] == [200_000]
    assert sandbox.drafts == []


def test_a_chat_takes_one_message_a_second(call_bot, sandbox):
    sandbox.control("options", rate_limits=True)
    call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"))
    with pytest.raises(RetryAfter, match="Retry in 1 second"):
        call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"))
    assert len(sandbox.posts) == 1


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        ("left", Forbidden, "bot is not a member of the channel chat"),
        ("kicked", Forbidden, "bot was kicked from the channel chat"),
        ("member", BadRequest, "Need administrator rights"),
    ],
)
def test_a_bot_without_rights_gets_the_reason(call_bot, sandbox, status, error, words):
    sandbox.control("rights", platform="telegram", account=CHANNEL, status=status)
    with pytest.raises(error, match=words):
        call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"))
    assert sandbox.posts == sandbox.drafts == []


def test_a_bot_cannot_post_where_it_never_joined(call_bot):
    with pytest.raises(Forbidden, match="bot is not a member of the channel chat"):
        call_bot(lambda bot: bot.send_video("@vezde_readonly", b"clip"))


def test_a_migrated_group_returns_the_new_id(call_bot, sandbox):
    sandbox.control(
        "chats",
        id=-42,
        title="Группа",
        type="group",
        migrate_to=CHANNEL,
        rights={str(BOT_ID): {"status": "member"}},
    )
    with pytest.raises(ChatMigrated) as refusal:
        call_bot(lambda bot: bot.send_video(-42, b"clip"))
    assert refusal.value.new_chat_id == CHANNEL


def test_a_private_channel_is_visible_only_to_its_members(call_bot, sandbox):
    with pytest.raises(BadRequest, match="Chat not found"):
        call_bot(lambda bot: bot.get_chat(PRIVATE))
    admin = {"status": "administrator", "can_post_messages": True}
    sandbox.control("chats", id=PRIVATE, title="Для своих", rights={str(BOT_ID): admin})
    message = call_bot(lambda bot: bot.send_video(PRIVATE, b"clip"))
    assert sandbox.posts[0]["url"] == f"{sandbox.url}/telegram-web/c/2000000007/{message.message_id}"
    assert requests.get(sandbox.posts[0]["url"], timeout=10).ok


def test_a_message_can_be_deleted(call_bot, sandbox):
    message = call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"))
    assert call_bot(lambda bot: bot.delete_message(CHANNEL, message.message_id)) is True
    assert sandbox.posts == []
    with pytest.raises(BadRequest, match="Message to delete not found"):
        call_bot(lambda bot: bot.delete_message(CHANNEL, message.message_id))


def test_another_bot_has_its_own_rights(call_bot, sandbox):
    sandbox.control("tokens", platform="telegram", token="77:second", username="second_bot")
    assert call_bot(lambda bot: bot.get_me(), token="77:second").username == "second_bot"
    with pytest.raises(Forbidden):
        call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"), token="77:second")
    sandbox.control("rights", platform="telegram", account=CHANNEL, token="77:second", can_post_messages=True)
    assert call_bot(lambda bot: bot.send_video(CHANNEL, b"clip"), token="77:second").message_id == 1
