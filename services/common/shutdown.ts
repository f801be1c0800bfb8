import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';

/** Shared by /ready and by the server: is this process on its way out? */
export type Lifecycle = {
  stopping: boolean;
  /** connections that never sent a request: node counts them as busy and would wait for them */
  readonly silent: Set<Socket>;
};

export const newLifecycle = (): Lifecycle => ({ stopping: false, silent: new Set() });

/** From SIGTERM on every answer asks its client to open the next connection elsewhere. */
export function closePolitely(app: FastifyInstance, lifecycle: Lifecycle): void {
  app.server.on('connection', socket => {
    lifecycle.silent.add(socket);
    socket.once('close', () => lifecycle.silent.delete(socket));
  });
  app.server.on('request', request => lifecycle.silent.delete(request.socket));
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (lifecycle.stopping) reply.header('connection', 'close');
    done(null, payload);
  });
}

export type ShutdownTimes = {
  /** go on as if nothing were, only unready: time for the endpoints to forget this pod */
  readonly delayMs: number;
  /** then wait at most this long for clients to take their connections elsewhere */
  readonly drainMs: number;
  /** the longest that closing what lies behind the server may take */
  readonly closeMs?: number;
};

/**
 * Stops without losing a request:
 *
 *   SIGTERM -> unready, answers say `Connection: close` -> delay -> drain until no connection is left -> close
 *
 * A kept-alive connection is only closed by us after the drain: closing an idle one races with the request that its
 * client may be sending on it.
 */
export async function stopServing(app: FastifyInstance, lifecycle: Lifecycle, times: ShutdownTimes): Promise<void> {
  lifecycle.stopping = true;
  await sleep(times.delayMs);
  const deadline = performance.now() + times.drainMs;
  while (performance.now() < deadline && (await openConnections(app)) > 0) await sleep(25);
  for (const socket of lifecycle.silent) socket.destroy();
  await app.close();
}

function openConnections(app: FastifyInstance): Promise<number> {
  return new Promise(resolve => {
    app.server.getConnections((error, count) => resolve(error ? 0 : count));
  });
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
