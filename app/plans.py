"""What each plan allows, as data. The page «Тарифы» and every check read this."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    key: str
    title: str
    platforms: frozenset[str] | None  # None: all that there are
    summary: str
    storage_gb: int
    keep_days: int | None = None  # None: clips stay until their user deletes them

    def allows(self, platform: str) -> bool:
        return self.platforms is None or platform in self.platforms

    @property
    def publishes(self) -> bool:
        """Whether it allows any platform."""
        return self.platforms is None or bool(self.platforms)


FREE = Plan("free", "Free", frozenset(), "Загрузка и хранение клипов", 2, keep_days=30)
START = Plan("start", "Start", frozenset({"vk"}), "Публикация в VK", 20)
PRO = Plan("pro", "Pro", None, "Публикация на всех площадках", 100)
BUSINESS = Plan("business", "Business", None, "Все площадки и больше места", 500)

PLANS = {plan.key: plan for plan in (FREE, START, PRO, BUSINESS)}


def cheapest_for(platform: str) -> Plan:
    return next(plan for plan in PLANS.values() if plan.allows(platform))
