// Too much to do is not broken: it is said as 503 with Retry-After, early, and counted apart from the faults of a release.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import type { PoolLoad } from './database.ts';
import { OPERATIONAL_ROUTES, routeOf } from './metrics.ts';
import { isRehearsal } from './rehearsal.ts';

/** `event_loop`: the process gets too little of a core. `database`: too many wait for a connection that works. */
export type Reason = 'event_loop' | 'database';

const TICK_MS = 100;
/** One such pause may be a collection of garbage; a second one right after it is want of processor time. */
const LATE_MS = 300;

/** What each connection may have before it. At a millisecond or two for a query that is far from the pool's timeout. */
const WAITING_PER_CONNECTION = 40;

const RETRY_AFTER_SECONDS = '2';

/** How late a timer comes that is due every `TICK_MS`, by a clock that gives milliseconds. */
export function watchLoop(now: () => number = () => performance.now()) {
  let tickedAt = now();
  let lateInARow = 0;
  let lateAt = Number.NEGATIVE_INFINITY;
  return {
    tick: () => {
      const at = now();
      const isLate = at - tickedAt - TICK_MS >= LATE_MS;
      lateInARow = isLate ? lateInARow + 1 : 0;
      if (isLate) lateAt = at;
      tickedAt = at;
    },
    /** again and again, and not only once */
    get starved() {
      return lateInARow > 1;
    },
    /** within the last so many milliseconds, this moment included: the tick itself may be what is late */
    wasLate: (withinMs: number) => now() - lateAt <= withinMs || now() - tickedAt - TICK_MS >= LATE_MS,
  };
}

export type Overload = {
  /** why a new request had better not begin; undefined almost always */
  readonly reason: () => Reason | undefined;
  /**
   * Why a request failed that ran out of time after `elapsedMs`: undefined where the database may be to blame. It is
   * not when it answered others meanwhile, or when this process was too late to read what it answered.
   */
  readonly reasonFor: (error: unknown, elapsedMs: number) => Reason | undefined;
};

/** No connection was free, a new one did not come about, or a query was not answered. */
const OUT_OF_TIME =
  /^(timeout exceeded when trying to connect|Connection terminated due to connection timeout|Query read timeout)$/;
const WAITED = /^timeout exceeded when trying to connect$/;

export function overloadOf(
  loop: Pick<ReturnType<typeof watchLoop>, 'starved' | 'wasLate'>,
  pool: PoolLoad,
  now: () => number = () => performance.now(),
): Overload {
  return {
    reason: () => {
      if (loop.starved) return 'event_loop';
      return pool.waiting() > pool.size * WAITING_PER_CONNECTION ? 'database' : undefined;
    },
    reasonFor: (error, elapsedMs) => {
      const message = error instanceof Error ? error.message : '';
      if (!OUT_OF_TIME.test(message)) return undefined;
      if (loop.wasLate(elapsedMs)) return 'event_loop';
      return WAITED.test(message) && now() - pool.answeredAt() < elapsedMs ? 'database' : undefined;
    },
  };
}

export type Shedding = {
  /** The answer to a request that is turned away, or gave up for the same reason; undefined when it was neither. */
  readonly excuse: (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined;
};

const NO_SHEDDING: Shedding = { excuse: () => undefined };

type Busy = (request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/**
 * Turns requests away while there is too much to do: a quick no to some is better than a late one to all. Probes and
 * scrapes always get in. `busy` writes the body in the service's own shape.
 */
export function shedLoad(
  app: FastifyInstance,
  { registry, pool, busy, enabled }: { registry: Registry; pool: PoolLoad; busy: Busy; enabled: boolean },
): Shedding {
  const shed = new Counter({
    name: 'http_requests_shed_total',
    help: 'Requests answered 503 because there was too much to do, by reason: event_loop, database',
    labelNames: ['reason'] as const,
    registers: [registry],
  });
  for (const reason of ['event_loop', 'database'] as const) shed.inc({ reason }, 0);
  if (!enabled) return NO_SHEDDING;
  const loop = watchLoop();
  const timer = setInterval(loop.tick, TICK_MS).unref();
  app.addHook('onClose', async () => clearInterval(timer));
  const overload = overloadOf(loop, pool);

  const turnAway = (reason: Reason, request: FastifyRequest, reply: FastifyReply) => {
    if (!isRehearsal(request)) shed.inc({ reason });
    request.log.debug({ reason }, 'shed');
    return busy(request, reply.code(503).header('Retry-After', RETRY_AFTER_SECONDS));
  };
  app.addHook('onRequest', (request, reply, done) => {
    const reason = overload.reason();
    if (reason === undefined || OPERATIONAL_ROUTES.includes(routeOf(request))) return done();
    turnAway(reason, request, reply);
  });
  return {
    excuse: (error, request, reply) => {
      const reason = overload.reasonFor(error, reply.elapsedTime);
      return reason && turnAway(reason, request, reply);
    },
  };
}
