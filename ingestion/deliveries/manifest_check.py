"""Before a delivery is published: is its manifest still in the bucket?"""

import logging
from collections.abc import Collection

from ingestion.aws_uses import recorded
from ingestion.deliveries.manifest_objects import Bucket
from ingestion.errors import IngestionError
from ingestion.models import Delivery
from ingestion.pipeline.assume_role import access_of, s3_client

logger = logging.getLogger(__name__)

# Who publishes: it follows from what others asked for.
OURSELVES = "KCX"


class ManifestCheck:
    """Asks the bucket of each delivery. One that did not answer is not asked again by the same check.

    `connections`: the ids of those that may be asked; None for all.
    """

    def __init__(self, connections: Collection[int] | None = None) -> None:
        self._connections = connections
        self._silent: set[int] = set()

    def unchanged(self, delivery: Delivery) -> bool:
        """Does the bucket still hold the delivery's manifest? False, too, where it cannot be asked."""
        if not delivery.manifest_key:
            return True
        asked = delivery.scope.export.connection_id
        if asked in self._silent or (self._connections is not None and asked not in self._connections):
            return False
        try:
            return self._ask(delivery)
        except IngestionError as error:
            logger.warning("Delivery %s is not published yet: %s", delivery.pk, error)
            self._silent.add(asked)
            return False

    def _ask(self, delivery: Delivery) -> bool:
        access = access_of(delivery.scope.export.connection)
        with recorded(access.connection_id, f"p{delivery.pk}", OURSELVES, delivery.manifest_key) as calls:
            bucket = Bucket(s3_client(access, calls), access)
            return bucket.holds(delivery.manifest_key, delivery.manifest_etag)
