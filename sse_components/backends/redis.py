"""The backend for several hosts: a Redis or Valkey server."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
import random
import secrets
import time
from typing import Any
from urllib.parse import urlsplit

from ..background import start_task
from ..checks import check_positive
from ..errors import BackendUnavailable, SetupError
from ..events.log import Cursor, Event, EventLog
from .base import Item
from .shared import PUBLISH_TIMEOUT, Draft, SharedBackend, events_of, items_of, read, state_event, written

logger = logging.getLogger("sse_components")

# Seconds between two looks at the server while nothing comes, and those that it may take to answer.
LOOK_SECONDS = 5.0
ANSWER_SECONDS = 2.0
# Seconds of the first pause before another attempt to connect, and of the longest; each is random, up to twice as long.
RETRY_SECONDS, MAX_RETRY_SECONDS = 0.05, 2.0
# Entries of the stream that are read at once; each may have many events.
READ_ENTRIES = 100

# Stores events under the next ids, trims, and tells every process: in one step. Without events, it only looks.
# The server's run id is another one after each restart and on each replica that takes over: writes may then be lost,
# so a new epoch begins. A call that is repeated, because its answer was lost, finds its token in the log.
SCRIPT = """
local state, log, kept, ends = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local token, count, events, repeated = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
local channel, max_bytes, max_age = ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local known = redis.call('HMGET', state, 'epoch', 'sequence', 'missing', 'bytes', 'run')
local epoch, sequence = known[1], tonumber(known[2] or 0)
local missing, bytes = tonumber(known[3] or 0), tonumber(known[4] or 0)
if known[5] ~= run then
  epoch, missing, bytes = ARGV[8], sequence, 0
  redis.call('DEL', log)
  redis.call('HSET', state, 'epoch', epoch, 'sequence', sequence, 'missing', missing, 'bytes', 0, 'run', run)
end
if repeated then
  for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-', 'COUNT', 200)) do
    if entry[2][2] == token then return {epoch, sequence, missing} end
  end
end
if count > 0 then
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  local first = sequence + 1
  sequence, bytes = sequence + count, bytes + #events
  redis.call('XADD', log, string.format('%d-0', sequence), 't', token, 'n', count, 'at', now, 'e', events)
  for _, item in ipairs(cjson.decode(ARGV[9])) do
    redis.call('HSET', kept, item[2], string.format('%d %s %s', first + item[1], item[4], item[3]))
    redis.call('ZADD', ends, item[4], item[2])
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now / 1000, 'LIMIT', 0, 1000)) do
    redis.call('HDEL', kept, key)
    redis.call('ZREM', ends, key)
  end
  for _ = 1, 100 do
    local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    local last = tonumber(string.match(oldest[1], '^(%d+)'))
    local is_old = max_age > 0 and tonumber(oldest[2][6]) < now - max_age
    if last == sequence or not (bytes > max_bytes or is_old) then break end
    redis.call('XDEL', log, oldest[1])
    bytes, missing = bytes - #oldest[2][8], last
  end
  redis.call('HSET', state, 'sequence', sequence, 'missing', missing, 'bytes', bytes)
  redis.call('PUBLISH', channel, string.format('%s %d %d %d %s ', epoch, first, count, now, token) .. events)
end
return {epoch, sequence, missing}
"""


class RedisBackend(SharedBackend):
    """Keeps the log in a Redis or Valkey server, which any number of processes on any hosts share.

    While the server is away, streams stay open, and publishing waits. When it is back, each process reads what it has
    missed. A server that was restarted, or replaced by a replica, may have lost writes: the log then begins a new
    epoch, and pages fetch themselves once.

    Args:
        url: of the server, such as `redis://:password@host:6379/0`, or `rediss://` for TLS, as redis-py has it.
        log: the copy of the log in each process, with its bounds, which should be the same in all processes; by default
            one with the default bounds. The server keeps as many bytes in all, for as long.
        name: of the log: applications that share a database of the server need different ones.
        publish_timeout: seconds that publishing waits for the server before it fails.

    Raises:
        SetupError: without redis-py.

    Example:
        `setup_sse(app, backend=RedisBackend('redis://10.0.0.5', name='shop'))`; with the defaults,
        `setup_sse(app, backend='redis://10.0.0.5')`
    """

    def __init__(
        self,
        url: str,
        log: EventLog | None = None,
        *,
        name: str = "sse",
        publish_timeout: float = PUBLISH_TIMEOUT,
    ) -> None:
        check_positive(publish_timeout=publish_timeout)
        try:
            self._redis = importlib.import_module("redis.asyncio")
        except ModuleNotFoundError as error:
            raise SetupError("a 'redis://' backend needs redis-py: pip install 'sse-components[redis]'") from error
        self.url, self.name = url, name
        super().__init__(log, publish_timeout=publish_timeout)

    def after_fork(self) -> None:
        """Be closed: the connections are those of the parent process."""
        super().after_fork()
        self._own: dict[str, list[Draft]] = {}  # what is under way, by its token
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._client: Any = None

    # ------------------------------------------------------------------ life

    async def _start(self) -> None:
        self._client = self._redis.from_url(
            self.url,
            socket_connect_timeout=ANSWER_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            health_check_interval=LOOK_SECONDS,
            decode_responses=True,
            # The client must not repeat a call by itself: it may have been made already.
            retry=importlib.import_module("redis.asyncio.retry").Retry(
                importlib.import_module("redis.backoff").NoBackoff(), 0
            ),
        )
        database = self._client.connection_pool.connection_kwargs.get("db") or 0
        self._keys = [f"{{{self.name}}}:{kind}" for kind in ("state", "log", "items", "ends")]
        self._channel = f"{{{self.name}}}:{database}"  # Pub/Sub knows no databases
        self._private = f"{self._channel}:{secrets.token_hex(8)}"
        self._script = self._client.register_script(SCRIPT)
        self._filling = asyncio.Lock()
        self._told = asyncio.Event()
        self._hears = True  # until the first subscription, nobody is told that there is none
        self._stops = False
        self.log.begin(Cursor("", 0), missing=0)
        try:
            await self._fill()
        except self._faults as error:  # a TimeoutError is an OSError
            await self._disconnect()
            raise self._unavailable(error) from error
        self._writer = start_task(self._write(), "writing to Redis")
        self._reader = start_task(self._listen(), "listening to Redis")

    async def _finish(self) -> None:
        self._stops = True
        self._told.set()
        reader, writer = self._reader, self._writer
        assert reader is not None
        assert writer is not None
        await writer
        under_way = [asyncio.wrap_future(draft.future) for drafts in self._own.values() for draft in drafts]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await asyncio.gather(*under_way, return_exceptions=True)
        self._fail_own("the backend is closed")
        with contextlib.suppress(*self._faults):
            # It ends by itself, because redis-py leaves a connection open whose making is cancelled.
            await self._client.publish(self._private, "end")
            await asyncio.wait([reader], timeout=ANSWER_SECONDS)
        while not reader.done():  # redis-py ignores a cancellation while it connects
            reader.cancel()
            await asyncio.wait([reader], timeout=0.1)
        await self._disconnect()
        self._abandon()

    async def _disconnect(self) -> None:
        with contextlib.suppress(*self._faults):
            await self._client.aclose()

    def _abandon(self) -> None:
        self._client, self._reader, self._writer, self._own = None, None, None, {}

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        return (self._redis.RedisError, OSError)

    def _unavailable(self, error: Exception) -> BackendUnavailable:
        place = urlsplit(self.url)
        reason = str(error) or f"no answer within {ANSWER_SECONDS:g} seconds"
        return BackendUnavailable(f"{place.scheme}://{place.hostname}:{place.port or 6379}: {reason}")

    # ------------------------------------------------------------------ publishing

    def _wake(self) -> None:
        self._told.set()

    async def _write(self) -> None:
        while not (self._stops and not self._waiting):
            await self._told.wait()
            self._told.clear()
            while drafts := self._take_waiting():
                await self._store(drafts)

    async def _store(self, drafts: list[Draft]) -> None:
        """Store events. Their futures are done when they come back, in the order of the log."""
        token, text = secrets.token_hex(8), written(drafts)
        self._own[token] = drafts
        deadline, pause, repeated = time.monotonic() + self.publish_timeout, RETRY_SECONDS, False
        while True:
            try:
                await self._call(token, drafts, text, repeated=repeated)
                # It is lost if the server restarts before anybody has heard of it.
                lost = BackendUnavailable("the server has stored an event, and then lost it")
                asyncio.get_running_loop().call_later(self.publish_timeout, self._fail, token, lost)
                if not self._hears:
                    await self._read_now()
                return
            except self._faults as error:
                # A server that has refused it has not stored it; another answer may have been lost on its way.
                if isinstance(error, self._redis.ResponseError) or time.monotonic() + pause > deadline:
                    self._fail(token, self._unavailable(error))
                    return
            repeated = True
            await asyncio.sleep(pause * (1 + random.random()))
            pause = min(2 * pause, MAX_RETRY_SECONDS)

    async def _call(
        self, token: str = "", drafts: list[Draft] | None = None, text: str = "", *, repeated: bool = False
    ) -> tuple[str, int, int]:
        """Run the script; return the log's epoch, its sequence, and the latest sequence that it no longer has."""
        age = 0 if self.log.max_age is None else int(self.log.max_age * 1000)
        bounds = self.log.max_total_bytes, age
        items = json.dumps(
            [[index, key, value, f"{until:.3f}"] for index, (key, value, until) in items_of(drafts or ())]
        )
        arguments = [token, len(drafts or ()), text, int(repeated), self._channel, *bounds, secrets.token_hex(4), items]
        epoch, sequence, missing = await self._script(keys=self._keys, args=arguments)
        return epoch, int(sequence), int(missing)

    def _fail(self, token: str, error: BackendUnavailable) -> None:
        for draft in self._own.pop(token, []):
            if not draft.future.done():
                draft.future.set_exception(error)

    def _fail_own(self, reason: str) -> None:
        for token in list(self._own):
            self._fail(token, BackendUnavailable(reason))

    # ------------------------------------------------------------------ hearing

    async def _listen(self) -> None:
        """Follow the server until this task is cancelled."""
        pause = RETRY_SECONDS
        while True:
            try:
                async with self._client.pubsub() as pubsub:
                    await pubsub.subscribe(self._channel, self._private)
                    await self._hear(pubsub)
                    return
            except self._faults as error:
                if self._hears:
                    logger.warning("%s; streams stay open meanwhile", self._unavailable(error))
                    pause = RETRY_SECONDS
                self._hears = False
                # Many processes lose the server at the same moment.
                await asyncio.sleep(pause * (1 + random.random()))
                pause = min(2 * pause, MAX_RETRY_SECONDS)

    async def _hear(self, pubsub: Any) -> None:
        """Hand out what is published, until this process ends."""
        while True:
            message = await pubsub.get_message(timeout=LOOK_SECONDS)
            if message is None or message["type"] == "subscribe":
                # From now on nothing is missed; before, something may have been.
                await self._fill()
                self._hears = True
            elif message["channel"] == self._private:
                return
            elif not self._take_message(message["data"]):
                await self._fill()

    def _take_message(self, data: str) -> bool:
        """Hand out what was published; return whether the log continues with it."""
        epoch, first, count, at, token, text = data.split(" ", 5)
        return epoch == self.log.epoch and self._take(int(first), int(count), int(at), token, text)

    def _take(self, first: int, count: int, at: int, token: str, text: str) -> bool:
        if first > self.log.sequence + 1:
            return False
        if first + count - 1 > self.log.sequence:
            drafts = self._own.pop(token, None)
            events = events_of(drafts or read(text), self.log.epoch, first, self._moment(at))
            self._receive(events)
            for draft, event in zip(drafts or (), events, strict=False):
                draft.future.set_result(event)
        return True

    def _moment(self, milliseconds: int) -> float:
        return self.log.clock() - max(0.0, time.time() - milliseconds / 1000)

    async def _read_now(self) -> None:
        with contextlib.suppress(*self._faults):
            await self._fill()

    async def _items(self, epoch: str) -> list[Event]:
        """Return the events that tell of the values which are kept."""
        found: dict[str, str] = await self._client.hgetall(self._keys[2])
        values = [
            (int(at), Item(key, value, float(until)))
            for key, text in found.items()
            for at, until, value in [text.split(" ", 2)]
        ]
        return [state_event(Cursor(epoch, sequence), item) for sequence, item in sorted(values)]

    async def _fill(self) -> None:
        """Read what is in the log and not in its copy."""
        async with self._filling:
            while not await self._is_filled():
                pass

    async def _is_filled(self) -> bool:
        epoch, sequence, missing = await self._call()
        if epoch != self.log.epoch or not missing <= self.log.sequence <= sequence:
            items = await self._items(epoch)
            self._begin(Cursor(epoch, missing), missing)
            self._learn_all(items)
        while self.log.sequence < sequence:
            begin = self.log.sequence
            entries = await self._client.xrange(self._keys[1], f"({begin}-0", "+", count=READ_ENTRIES)
            for id, entry in entries:
                count, at = int(entry["n"]), int(entry["at"])
                first = int(id.partition("-")[0]) - count + 1
                if epoch != self.log.epoch or not self._take(first, count, at, entry["t"], entry["e"]):
                    return False  # something was trimmed meanwhile, or the server restarted
                if count > 20:
                    await asyncio.sleep(0)  # others run meanwhile
            if self.log.sequence == begin:
                return False
        return True
