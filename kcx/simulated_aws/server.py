"""The simulated AWS: start it, hand its environment to a KCX process, stop it."""

import json
from contextlib import ExitStack
from types import TracebackType
from typing import ClassVar, Self

from moto.core.authorization import enable_iam_authentication
from moto.iam.models import iam_backends
from moto.moto_api._internal.models import moto_api_backend
from moto.utilities.utils import get_partition

from kcx.simulated_aws.controls import s3_controls
from kcx.simulated_aws.http_server import HttpServer
from kcx.simulated_aws.policies import assume_any_role_policy
from kcx.simulated_aws.restores import restores_listed
from kcx.simulated_aws.trust import trust_policies_evaluated


class SimulatedAws:
    """S3, STS and IAM on one loopback port, with an account of KCX's own and any number of others.

    moto's state belongs to the process, so only one can run at a time in it; `start` and `stop` both
    empty it. Accounts are set up in this process (`accounts.ClientAccount`), and read by any process
    that has `environment()`.
    """

    _running: ClassVar["SimulatedAws | None"] = None

    def __init__(
        self,
        *,
        port: int = 0,
        kcx_account_id: str = "999900001111",
        region: str = "eu-central-1",
        enforce_iam: bool = True,
    ) -> None:
        self.kcx_account_id = kcx_account_id
        self.region = region
        self._port = port
        self._enforce_iam = enforce_iam
        self._exits = ExitStack()
        self._environment: dict[str, str] = {}

    def start(self) -> Self:
        """Serve until `stop`. Raises RuntimeError if another one runs here, OSError if the port is taken."""
        if SimulatedAws._running is not None:
            raise RuntimeError("A simulated AWS already runs in this process.")
        with ExitStack() as exits:
            moto_api_backend.reset()
            exits.callback(moto_api_backend.reset)
            exits.enter_context(trust_policies_evaluated())
            exits.enter_context(s3_controls())
            exits.enter_context(restores_listed())
            if self._enforce_iam:
                exits.enter_context(enable_iam_authentication())
            server = HttpServer(self._port)
            exits.callback(server.stop)
            self._environment = {"AWS_ENDPOINT_URL": server.url, **self._create_kcx_identity()}
            SimulatedAws._running = self
            exits.callback(self._forget)
            self._exits = exits.pop_all()
        return self

    def stop(self) -> None:
        """End every thread and connection, and put moto back as it was. Harmless when it is not running."""
        self._exits.close()

    @property
    def endpoint_url(self) -> str:
        return self._environment["AWS_ENDPOINT_URL"]

    def environment(self) -> dict[str, str]:
        """All that a KCX process needs to use this AWS as KCX's own principal."""
        return dict(self._environment)

    def _forget(self) -> None:
        SimulatedAws._running = None
        self._environment = {}

    def _create_kcx_identity(self) -> dict[str, str]:
        iam = iam_backends[self.kcx_account_id][get_partition(self.region)]
        iam.create_user(self.region, "kcx")
        iam.put_user_policy("kcx", "assume-client-roles", json.dumps(assume_any_role_policy()))
        key = iam.create_access_key("kcx")
        return {
            "AWS_ACCESS_KEY_ID": key.access_key_id,
            "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
        }

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
