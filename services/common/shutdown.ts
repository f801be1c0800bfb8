import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** Shared by /ready and by the server: is this process on its way out? */
export type Lifecycle = {
  stopping: boolean;
  /** every connection, the oldest first */
  readonly open: Set<Socket>;
  /** those that never sent a request: node counts them as busy and would wait for them */
  readonly silent: Set<Socket>;
};

export const newLifecycle = (): Lifecycle => ({ stopping: false, open: new Set(), silent: new Set() });

/** Some 30 MB of buffers; a proxy in front keeps tens or hundreds. */
const MAX_CONNECTIONS = 2_000;

/**
 * From SIGTERM on every answer asks its client to open the next connection elsewhere. Beyond `maxConnections` those
 * that nobody uses make room, so that whoever opens many and says nothing shuts nobody out, the kubelet least of all.
 */
export function closePolitely(app: FastifyInstance, lifecycle: Lifecycle, maxConnections = MAX_CONNECTIONS): void {
  app.server.on('connection', socket => {
    lifecycle.open.add(socket);
    lifecycle.silent.add(socket);
    socket.once('close', () => {
      lifecycle.open.delete(socket);
      lifecycle.silent.delete(socket);
    });
    if (lifecycle.open.size > maxConnections) makeRoom(app, lifecycle, socket);
  });
  app.server.on('request', request => lifecycle.silent.delete(request.socket));
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (lifecycle.stopping) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** The oldest that never spoke goes, else all that are between two requests; when all are busy, the newest itself. */
function makeRoom(app: FastifyInstance, { open, silent }: Lifecycle, newest: Socket): void {
  const [oldest] = silent;
  if (oldest !== undefined && oldest !== newest) {
    oldest.destroy();
    return;
  }
  app.server.closeIdleConnections();
  if (![...open].some(socket => socket.destroyed)) newest.destroy();
}

export type ShutdownTimes = {
  /** go on as if nothing were, only unready: time for the endpoints to forget this pod */
  readonly delayMs: number;
  /** then wait at most this long for clients to take their connections elsewhere */
  readonly drainMs: number;
  /** the longest that closing what lies behind the server may take */
  readonly closeMs?: number;
};

/** Once no connection has said anything for so long, those between two requests are closed. */
const QUIET_MS = 1_000;

/**
 * Stops without losing a request:
 *
 *   SIGTERM -> unready, answers say `Connection: close` -> delay -> drain until no connection is left -> close
 *
 * A kept-alive connection is only closed by us after the drain, or when all have been quiet for a second: closing an
 * idle one races with the request that its client may be sending on it.
 */
export async function stopServing(app: FastifyInstance, lifecycle: Lifecycle, times: ShutdownTimes): Promise<void> {
  lifecycle.stopping = true;
  await sleep(times.delayMs);
  const deadline = performance.now() + times.drainMs;
  let heard = { bytes: -1, at: 0 };
  while (performance.now() < deadline && lifecycle.open.size > 0) {
    const bytes = bytesRead(lifecycle);
    if (bytes !== heard.bytes) heard = { bytes, at: performance.now() };
    if (performance.now() - heard.at >= QUIET_MS) closeUnused(app, lifecycle);
    await sleep(25);
  }
  closeUnused(app, lifecycle);
  await app.close();
}

const bytesRead = ({ open }: Lifecycle) => [...open].reduce((sum, socket) => sum + socket.bytesRead, 0);

function closeUnused(app: FastifyInstance, { silent }: Lifecycle): void {
  for (const socket of silent) socket.destroy();
  app.server.closeIdleConnections();
}

/** Exit code of a stop that did not end in time; what is left is cut off. */
const STOP_TIMED_OUT = 1;

/** Runs `stop` on the first SIGTERM or SIGINT; a second signal, or `limitMs`, ends the process at once. */
export function stopOnSignal(stop: () => Promise<void>, limitMs: number, log: (message: string) => void): void {
  let asked = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (asked) process.exit(STOP_TIMED_OUT);
    asked = true;
    log(`${signal}: stopping`);
    setTimeout(() => process.exit(STOP_TIMED_OUT), limitMs).unref();
    stop().then(
      () => process.exit(0),
      () => process.exit(STOP_TIMED_OUT),
    );
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
