"""The backend that uses a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from combine.cli.ports import SERVER_DEFAULT_MODEL, Say
from combine.cli.remote.address import Address, bearer_token, parse_address
from combine.cli.remote.client import Client, open_client
from combine.cli.remote.inspection import RemoteInspection

if TYPE_CHECKING:  # takes longer to import than a command against a server takes to run
    from combine.cli.remote.recordings import RemoteReplays
    from combine.cli.remote.services import (
        RemoteCosts,
        RemoteDocuments,
        RemoteEstimates,
        RemoteExecutions,
        RemoteProjects,
        RemoteSettling,
    )
    from combine.cli.remote.tokens import RemoteTokens
    from combine.cli.remote.workflows import RemoteWorkflows


@dataclass(frozen=True, slots=True)
class RemoteServices:
    """The services over one connection, most of them imported when they are used."""

    client: Client
    workflows_dir: Path | None
    say: Say

    @property
    def inspection(self) -> RemoteInspection:
        return RemoteInspection(self.client, self.say)

    @property
    def documents(self) -> RemoteDocuments:
        from combine.cli.remote.services import RemoteDocuments  # noqa: PLC0415 - see above

        return RemoteDocuments(self.client)

    @property
    def costs(self) -> RemoteCosts:
        from combine.cli.remote.services import RemoteCosts  # noqa: PLC0415 - see above

        return RemoteCosts(self.client)

    @property
    def estimates(self) -> RemoteEstimates:
        from combine.cli.remote.services import RemoteEstimates  # noqa: PLC0415 - see above

        return RemoteEstimates(self.client)

    @property
    def projects(self) -> RemoteProjects:
        from combine.cli.remote.services import RemoteProjects  # noqa: PLC0415 - see above

        return RemoteProjects(self.client)

    @property
    def replays(self) -> RemoteReplays:
        from combine.cli.remote.recordings import RemoteReplays  # noqa: PLC0415 - see above

        return RemoteReplays(self.client, self.workflows_dir)

    @property
    def settling(self) -> RemoteSettling:
        from combine.cli.remote.services import RemoteSettling  # noqa: PLC0415 - see above

        return RemoteSettling(self.client)

    @property
    def executions(self) -> RemoteExecutions:
        from combine.cli.remote.services import RemoteExecutions  # noqa: PLC0415 - see above

        return RemoteExecutions(self.client)


@dataclass(frozen=True, slots=True)
class ServerBackend:
    """Sends commands to a server."""

    server: Address
    token: SecretStr
    workflows_dir: Path | None
    say: Say

    def reading(self) -> AbstractAsyncContextManager[RemoteServices]:
        return self.working()

    @asynccontextmanager
    async def working(self, *, start: bool = True) -> AsyncIterator[RemoteServices]:
        del start  # nothing is started in this process
        async with self._client() as client:
            yield RemoteServices(client, self.workflows_dir, self.say)

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[RemoteTokens]:
        from combine.cli.remote.tokens import RemoteTokens  # noqa: PLC0415 - see above

        async with self._client() as client:
            yield RemoteTokens(client)

    @asynccontextmanager
    async def workflows(self) -> AsyncIterator[RemoteWorkflows]:
        from combine.cli.remote.workflows import RemoteWorkflows  # noqa: PLC0415 - see above

        async with self._client() as client:
            yield RemoteWorkflows(client)

    def check_models(self, model: str | None, workflow_id: str) -> str:
        """Only the server knows which keys are set and what the default is."""
        del workflow_id
        return self.model_for(model)

    def model_for(self, model: str | None) -> str:
        if not model:
            return SERVER_DEFAULT_MODEL
        self.check_model(model)
        return model

    def check_model(self, model: str) -> None:
        from combine.workflows.models import parse_model  # noqa: PLC0415 - see above

        _, warning = parse_model(model)
        if warning is not None:
            self.say(f"Warning: {warning}")

    def stopping(self) -> None:
        """Nothing stops on the server."""

    def stopped(self, execution: str | None) -> str:
        if execution is None:
            return "Detached. If the execution had been started, `combine list` shows it."
        return (
            f"Detached; execution {execution} continues on {self.server}.\n"
            f"To follow it again: combine watch {execution}. To cancel it: combine cancel {execution}"
        )

    def _client(self) -> AbstractAsyncContextManager[Client]:
        return open_client(self.server, self.token.get_secret_value())


def server_backend(server: str, token: SecretStr | None, workflows_dir: Path | None, say: Say) -> ServerBackend:
    """Raises Invalid for an invalid address, NotSignedIn without a token."""
    where = parse_address(server)
    return ServerBackend(where, SecretStr(bearer_token(token, where)), workflows_dir, say)
