"""One SSH connection, shared by all threads: made when it is first needed, and made anew when it broke.

asyncssh is asynchronous; one thread of this process runs its loop for all connections, and others wait for results. The
host key must be known: nothing here can turn that check off. Settings of ~/.ssh/config apply, as for ssh.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

import asyncssh

from neokeep.storage.sftp_errors import FAILURES, unconnected

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from neokeep.storage.address import Address
    from neokeep.storage.place import StorageOptions

    Work = Callable[[asyncssh.SFTPClient], Coroutine[Any, Any, "Result"]]

_CONNECT_SECONDS = 20
_KEEPALIVE_SECONDS = 15
_BROKEN = (TimeoutError, asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError, OSError)

Result = TypeVar("Result")


class _Loop:
    """The thread that runs all connections of this process, started when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: asyncio.AbstractEventLoop | None = None

    def get(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._running is None:
                self._running = asyncio.new_event_loop()
                threading.Thread(target=self._running.run_forever, name="sftp-connections", daemon=True).start()
            return self._running


_LOOP = _Loop()


class SftpConnection:
    """A connection that heals. Safe to use from several threads."""

    def __init__(self, address: Address, options: StorageOptions) -> None:
        self._address = address
        self._options = options
        self._lock = asyncio.Lock()
        self._client: asyncssh.SFTPClient | None = None
        # Apart from this object, so that what closes it in the end does not keep it alive.
        self._open: list[asyncssh.SSHClientConnection] = []
        weakref.finalize(self, _close, self._open)

    def run(self, work: Work[Result]) -> Result:
        """Do something with the connection and wait for its result, at most the timeout of the options.

        Raises:
            CredentialsError, TransientError: there is no connection.
            asyncssh.Error, OSError, TimeoutError: what `work` raised; the next call connects anew where that is needed.
        """
        future = asyncio.run_coroutine_threadsafe(self._work(work), _LOOP.get())
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def _work(self, work: Work[Result]) -> Result:
        client = await self._connected()
        task = asyncio.ensure_future(work(client))
        task.add_done_callback(_noticed)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._options.timeout)
            if not done:
                raise TimeoutError
            return task.result()
        except _BROKEN:
            # First the connection: on one that hangs, the work would tidy up for ever.
            if self._client is client:
                self._drop()
            raise
        finally:
            task.cancel()

    async def _connected(self) -> asyncssh.SFTPClient:
        async with self._lock:
            if self._client is not None and self._open and not self._open[0].is_closed():
                return self._client
            self._drop()
            try:
                connection = await asyncio.wait_for(self._connect(), _CONNECT_SECONDS * 2)
                self._open.append(connection)
                self._client = await asyncio.wait_for(connection.start_sftp_client(), self._options.timeout)
            except FAILURES as problem:
                self._drop()
                raise unconnected(problem, f"cannot connect to {self._address.url}") from None
            return self._client

    async def _connect(self) -> asyncssh.SSHClientConnection:
        address, options = self._address, self._options
        # An empty tuple is the library's word for what ssh itself would do: its configuration, agent and usual files.
        return await asyncssh.connect(
            address.host.strip("[]"),
            port=address.port if address.port is not None else (),
            username=address.user if address.user is not None else (),
            known_hosts=str(options.known_hosts) if options.known_hosts else (),
            client_keys=[str(options.key_file)] if options.key_file else (),
            connect_timeout=_CONNECT_SECONDS,
            login_timeout=_CONNECT_SECONDS,
            keepalive_interval=_KEEPALIVE_SECONDS,
            # Processors do AES by themselves; the library's own first choice costs more than the network.
            encryption_algs="^aes128-gcm@openssh.com,aes256-gcm@openssh.com",
        )

    def _drop(self) -> None:
        self._client = None
        while self._open:
            self._open.pop().abort()


def _noticed(task: asyncio.Future[Any]) -> None:
    """Look at what became of work that nobody waits for any more; the library would complain on stderr otherwise."""
    if not task.cancelled():
        task.exception()


def _close(connections: list[asyncssh.SSHClientConnection]) -> None:
    loop = _LOOP.get()
    for connection in connections:
        loop.call_soon_threadsafe(connection.abort)
