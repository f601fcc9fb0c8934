"""Communities and the roles of users."""

from dataclasses import dataclass, field

from sandbox.commands import BadCommand
from sandbox.state import State
from sandbox.vk.errors import ApiError

ROLES = ("administrator", "editor", "moderator", "advertiser", "member", "none")

FILTERS = {
    "": ROLES[:-1],
    "admin": ("administrator",),
    "editor": ("administrator", "editor"),
    "moder": ("administrator", "editor", "moderator"),
    "advertiser": ("administrator", "advertiser"),
}
"""groups.get's filters by role: https://dev.vk.com/ru/method/groups.get"""


@dataclass
class Community:
    """`roles` by user id; other users have none."""

    id: int
    name: str
    screen_name: str
    roles: dict[str, str] = field(default_factory=dict)


class Communities:
    def __init__(self, state: State) -> None:
        self._state = state
        self._communities = state.table("vk_community", Community)

    def save(self, community: Community) -> None:
        with self._state.lock:
            self._communities.put(str(community.id), community)

    def find(self, number: int) -> Community | None:
        return self._communities.get(str(number))

    def find_by_name(self, name: str) -> Community | None:
        return next((one for one in self._communities if one.screen_name.lower() == name.lower()), None)

    def set_role(self, community: Community, user: str, role: str) -> None:
        if role not in ROLES:
            raise BadCommand(f"role is one of {', '.join(ROLES)}")
        community.roles[user] = role
        self.save(community)

    def list_for(self, user: str, role_filter: str) -> list[Community]:
        return [community for community in self._communities if community.roles.get(user) in FILTERS[role_filter]]

    def check_editor(self, owner: int, account: str, code: int) -> None:
        """Raises ApiError if an account may not publish as `owner`."""
        if owner < 0 and self.find(-owner) is None:
            raise ApiError(100, "group not found")
        if not self.may_edit(owner, account):
            raise ApiError(code)

    def may_edit(self, owner: int, account: str) -> bool:
        """Returns whether `owner` is the account itself, or a community where it is an editor."""
        community = self.find(-owner) if owner < 0 else None
        return str(owner) == account or (community is not None and community.roles.get(account) in FILTERS["editor"])
