"""Groups and what their members may do there. https://apiok.ru/dev/methods/rest/group/group.getUserGroupsV2"""

from dataclasses import dataclass, field

from sandbox.commands import BadCommand
from sandbox.state import State

STATUSES = ("ACTIVE", "ADMIN", "BLOCKED", "MAYBE", "MODERATOR", "PASSIVE")
ROLES = ("", "ANALYST", "EDITOR", "MODERATOR", "SUPER_MODERATOR")


@dataclass
class Group:
    """`members`: by user id, their status and, of a moderator, the role."""

    id: str
    name: str
    members: dict[str, list[str]] = field(default_factory=dict)

    def may_post(self, user: str) -> bool:
        status, role = self.members.get(user, ("", ""))
        return status == "ADMIN" or (status == "MODERATOR" and role != "ANALYST")


class Groups:
    def __init__(self, state: State) -> None:
        self._state = state
        self._groups = state.table("ok_group", Group)

    def save(self, group: Group) -> None:
        with self._state.lock:
            self._groups.put(group.id, group)

    def find(self, number: str) -> Group | None:
        return self._groups.get(number)

    def list_for(self, user: str) -> list[Group]:
        return [group for group in self._groups if user in group.members]

    def may_post(self, user: str, number: str) -> bool:
        group = self.find(number)
        return group is not None and group.may_post(user)

    def set_member(self, number: str, user: str, status: str, role: str) -> None:
        group = self.find(number)
        if group is None or status not in STATUSES or role not in ROLES:
            raise BadCommand(f"a group that is known; status is one of {', '.join(STATUSES)}, role of {ROLES[1:]}")
        group.members[user] = [status, role]
        self.save(group)
