"""The exports found under a connection: looked up or made as their keys are met."""

from dataclasses import dataclass, field

from django.db.models import QuerySet

from ingestion.layouts.families import Family, family_of
from ingestion.layouts.keys import KeyFacts
from ingestion.layouts.manifests import Manifest
from ingestion.models import ClientConnection, Delivery, Export

# Families that bill the same lines in another shape: loading two of a group counts every line twice.
SAME_LINES = {
    Family.LEGACY_CUR: "cur",
    Family.CUR_2_0: "cur",
    Family.FOCUS_1_0_PREVIEW: "focus",
    Family.FOCUS_1_0: "focus",
    Family.FOCUS_1_2: "focus",
}


@dataclass
class ExportsOf:
    """The exports of one connection; each is asked for once."""

    connection: ClientConnection
    _known: dict[tuple[str, str, str], Export] = field(default_factory=dict)

    def of(self, facts: KeyFacts) -> Export:
        """The export a key belongs to, made if it is new."""
        identity = (facts.root, facts.name, facts.key_layout.value)
        if identity not in self._known:
            self._known[identity] = self._stored(facts)
        return self._known[identity]

    def _stored(self, facts: KeyFacts) -> Export:
        wanted = Export.Decision.LOAD if self.connection.load_new_exports else Export.Decision.AWAITING
        export, _ = Export.objects.get_or_create(
            connection=self.connection,
            root=facts.root,
            name=facts.name,
            key_layout=facts.key_layout.value,
            defaults={
                "mode": facts.mode.value if facts.mode else "",
                "decision": wanted if facts.is_billing else Export.Decision.IGNORE,
            },
        )
        if facts.mode and not export.mode:
            export.mode = facts.mode.value
            export.save(update_fields=["mode"])
        return export


def learn(export: Export, manifest: Manifest) -> None:
    """Note what the export's manifest tells of it; its first one shows whether it holds another's lines too.

    Then it awaits a decision, even where new exports load by themselves.
    """
    first = not export.has_manifests
    export.has_manifests, export.without_manifests = True, False
    export.payer_account = manifest.account or export.payer_account
    if export.family == Family.UNKNOWN:
        export.family = family_of([column.name for column in manifest.columns], export.key_layout)
    if first and (twin := _holds_the_same_lines(export)):
        export.overlaps = twin
        export.decision = Export.Decision.AWAITING
    fields = ["has_manifests", "without_manifests", "payer_account", "family", "overlaps"]
    # The decision is staff's: only what was just found out may change it.
    export.save(update_fields=[*fields, "decision"] if export.overlaps and first else fields)


def _holds_the_same_lines(export: Export) -> Export | None:
    twins = twins_of(export).filter(decision=Export.Decision.LOAD)
    periods = export.files.values("billing_period_start")
    overlapping = Delivery.objects.filter(scope__export__in=twins, scope__billing_period_start__in=periods)
    found = overlapping.exclude(scope__export=export).select_related("scope__export").first()
    return found.scope.export if found else None


def twins_of(export: Export) -> QuerySet[Export]:
    """Every other export that bills the same account's lines in some shape, whatever was decided of it."""
    group = SAME_LINES.get(Family(export.family))
    if not (group and export.payer_account):
        return Export.objects.none()
    families = [family for family, name in SAME_LINES.items() if name == group]
    alike = Export.objects.filter(payer_account=export.payer_account, family__in=families)
    return alike.exclude(pk=export.pk)


def bills_the_same(export: Export, other: Export) -> bool:
    """Is the other one of `twins_of` the export?"""
    group = SAME_LINES.get(Family(export.family))
    same = export.payer_account and export.payer_account == other.payer_account
    return bool(group and same and other.pk != export.pk and SAME_LINES.get(Family(other.family)) == group)
