"""The exports found under a connection: looked up or made as their keys are met."""

from dataclasses import dataclass, field
from datetime import datetime

from ingestion.layouts.families import Family, family_of
from ingestion.layouts.keys import KeyFacts, classify
from ingestion.layouts.manifests import Manifest
from ingestion.models import ClientConnection, Delivery, Export
from ingestion.overlaps import wait_where_doubled


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


def learn(export: Export, manifest: Manifest, delivered_at: datetime) -> None:
    """Note what a manifest of the export tells of it, where none that was read is newer.

    Its first one, and one that tells of other lines than before (an export may be deleted and made again
    under its name), show whether the export holds another's lines: then it awaits a decision.
    """
    export.has_manifests, export.without_manifests = True, False
    changed = {name: told for name, told in _told(export, manifest).items() if told != getattr(export, name)}
    if changed and _newer_is_read(export, delivered_at):
        changed = {}
    for name, told in changed.items():
        setattr(export, name, told)
    export.save(update_fields=["has_manifests", "without_manifests", *changed])
    if changed.keys() & {"family", "payer_account"}:
        periods = export.files.order_by().values_list("billing_period_start", flat=True).distinct()
        wait_where_doubled(export, list(periods), registered=True)


def _told(export: Export, manifest: Manifest) -> dict[str, str]:
    """What the manifest tells, by the export's field."""
    family = family_of([column.name for column in manifest.columns], export.key_layout)
    modes = (classify(key).mode for key in manifest.data_keys)
    told = {
        "family": "" if family is Family.UNKNOWN else family.value,
        "mode": next((mode.value for mode in modes if mode), ""),
        "payer_account": manifest.account or "",
    }
    return {name: value for name, value in told.items() if value}


def _newer_is_read(export: Export, delivered_at: datetime) -> bool:
    read = Delivery.objects.filter(scope__export=export, listed_keys__isnull=False).exclude(manifest_key="")
    return read.filter(delivered_at__gt=delivered_at).exists()
