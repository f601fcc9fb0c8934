"""Communities, and who may do what there."""

from dataclasses import dataclass, field

from sandbox.commands import BadOrder
from sandbox.state import World
from sandbox.vk.errors import Refusal

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
    """`roles` by user id; who is not named has nothing to do with it."""

    id: int
    name: str
    screen_name: str
    roles: dict[str, str] = field(default_factory=dict)


class Communities:
    def __init__(self, world: World) -> None:
        self._world = world
        self._communities = world.table("vk_community", Community)

    def keep(self, community: Community) -> None:
        with self._world.lock:
            self._communities.put(str(community.id), community)

    def find(self, number: int) -> Community | None:
        return self._communities.get(str(number))

    def give(self, community: Community, user: str, role: str) -> None:
        if role not in ROLES:
            raise BadOrder(f"role is one of {', '.join(ROLES)}")
        community.roles[user] = role
        self.keep(community)

    def of(self, user: str, by: str) -> list[Community]:
        return [community for community in self._communities if community.roles.get(user) in FILTERS[by]]

    def check_editor(self, owner: int, account: str, code: int) -> None:
        """Raises Refusal where an account may not publish as `owner`."""
        if owner < 0 and self.find(-owner) is None:
            raise Refusal(100, "group not found")
        if not self.may_edit(owner, account):
            raise Refusal(code)

    def may_edit(self, owner: int, account: str) -> bool:
        """Whether `owner` is the account itself, or a community that it edits."""
        community = self.find(-owner) if owner < 0 else None
        return str(owner) == account or (community is not None and community.roles.get(account) in FILTERS["editor"])
