"""Commands at a server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from combine.cli.ports import PLACES_OWN_MODEL
from combine.cli.remote.address import Address, address, bearer
from combine.cli.remote.client import Client, open_client
from combine.cli.remote.following import Report
from combine.cli.remote.inspection import RemoteInspection

if TYPE_CHECKING:  # each costs more to import than a command at a server takes
    from combine.cli.remote.catalog import RemoteWorkflows
    from combine.cli.remote.documents import RemoteDocuments
    from combine.cli.remote.executions import RemoteExecutions
    from combine.cli.remote.money import RemoteCosts, RemoteEstimates, RemoteProjects, RemoteSettling
    from combine.cli.remote.recordings import RemoteReplays
    from combine.cli.remote.tokens import RemoteTokens


@dataclass(frozen=True, slots=True)
class RemoteWork:
    """A connection, and what commands do over it; each part is loaded when it is used."""

    client: Client
    workflows_dir: Path | None
    say: Report

    @property
    def inspection(self) -> RemoteInspection:
        """See the port."""
        return RemoteInspection(self.client, self.say)

    @property
    def documents(self) -> RemoteDocuments:
        """See the port."""
        from combine.cli.remote.documents import RemoteDocuments  # noqa: PLC0415 - see above

        return RemoteDocuments(self.client)

    @property
    def costs(self) -> RemoteCosts:
        """See the port."""
        from combine.cli.remote.money import RemoteCosts  # noqa: PLC0415 - as above

        return RemoteCosts(self.client)

    @property
    def estimates(self) -> RemoteEstimates:
        """See the port."""
        from combine.cli.remote.money import RemoteEstimates  # noqa: PLC0415 - as above

        return RemoteEstimates(self.client)

    @property
    def projects(self) -> RemoteProjects:
        """See the port."""
        from combine.cli.remote.money import RemoteProjects  # noqa: PLC0415 - as above

        return RemoteProjects(self.client)

    @property
    def replays(self) -> RemoteReplays:
        """See the port."""
        from combine.cli.remote.recordings import RemoteReplays  # noqa: PLC0415 - as above

        return RemoteReplays(self.client, self.workflows_dir)

    @property
    def settling(self) -> RemoteSettling:
        """See the port."""
        from combine.cli.remote.money import RemoteSettling  # noqa: PLC0415 - as above

        return RemoteSettling(self.client)

    @property
    def executions(self) -> RemoteExecutions:
        """See the port."""
        from combine.cli.remote.executions import RemoteExecutions  # noqa: PLC0415 - as above

        return RemoteExecutions(self.client)


@dataclass(frozen=True, slots=True)
class AtServer:
    """A server does the work."""

    server: Address
    token: SecretStr
    workflows_dir: Path | None
    say: Report

    def reading(self) -> AbstractAsyncContextManager[RemoteWork]:
        """See the port."""
        return self.working()

    @asynccontextmanager
    async def working(self, *, start: bool = True) -> AsyncIterator[RemoteWork]:
        """See the port; nothing is started here."""
        del start
        async with self._client() as client:
            yield RemoteWork(client, self.workflows_dir, self.say)

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[RemoteTokens]:
        """See the port."""
        from combine.cli.remote.tokens import RemoteTokens  # noqa: PLC0415 - as above

        async with self._client() as client:
            yield RemoteTokens(client)

    @asynccontextmanager
    async def workflows(self) -> AsyncIterator[RemoteWorkflows]:
        """See the port."""
        from combine.cli.remote.catalog import RemoteWorkflows  # noqa: PLC0415 - as above

        async with self._client() as client:
            yield RemoteWorkflows(client)

    def check_models(self, model: str | None, workflow_id: str) -> str:
        """See the port. Which keys there are, and what the default is, only the server knows."""
        del workflow_id
        return self.model_for(model)

    def model_for(self, model: str | None) -> str:
        """See the port."""
        if not model:
            return PLACES_OWN_MODEL
        self.check_model(model)
        return model

    def check_model(self, model: str) -> None:
        """See the port."""
        from combine.workflows.models import parse_model  # noqa: PLC0415 - as above

        _, warning = parse_model(model)
        if warning is not None:
            self.say(f"Warning: {warning}")

    def stopping(self) -> None:
        """See the port: nothing stops there."""

    def stopped(self, execution: str | None) -> str:
        """See the port."""
        if execution is None:
            return "Left. If anything was begun in that moment, `combine list` shows it."
        return (
            f"Left; execution {execution} goes on at {self.server}.\n"
            f"Follow it again: combine watch {execution}. End it for good: combine cancel {execution}"
        )

    def _client(self) -> AbstractAsyncContextManager[Client]:
        return open_client(self.server, self.token.get_secret_value())


def at_server(server: str, token: SecretStr | None, workflows_dir: Path | None, say: Report) -> AtServer:
    """Raises Invalid for an address that cannot be used, NotSignedIn without a token."""
    where = address(server)
    return AtServer(where, SecretStr(bearer(token, where)), workflows_dir, say)
