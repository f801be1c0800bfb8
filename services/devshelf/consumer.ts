import { DelayedError, type Job as Delivery, Queue, type QueueOptions, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { inTime } from '../common/in-time.ts';
import type { Logger } from '../common/logging.ts';
import { JOB_NAMES, type Job, job as jobSchema, optionsOf, PREFIX, QUEUE } from './jobs.ts';
import { connectRedis, recovering, watchEviction } from './redis.ts';

/** What a handler may know about its job, and do with it. */
export type Attempt = {
  /** there is no other one after this */
  readonly last: boolean;
  /** aborted when this process has no more time: the job is then done by another */
  readonly signal: AbortSignal;
  /** the moment for which the job was put off, if it was. Milliseconds since 1970 */
  readonly turn: number | undefined;
  /** Gives the job back until then; it counts as no attempt. */
  putOff(until: number): Promise<never>;
};

export type Handlers = {
  readonly [Name in Job['name']]: (job: Extract<Job, { name: Name }>, attempt: Attempt) => Promise<void>;
};

export type ConsumerSettings = {
  readonly url: string;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly telemetry?: QueueOptions['telemetry'] | undefined;
  /** told of each job that is given up */
  readonly onFailure?: (error: Error, job: { name: string; id: string | undefined }) => void;
  readonly concurrency?: number;
  /** a job whose worker has not been heard of for so long is done by another. Milliseconds */
  readonly lockMs?: number;
};

export type Consumer = {
  /** for what the handlers need of it */
  readonly redis: Redis;
  /** Hands over many jobs at once. @throws when Redis does not take them */
  addAll(jobs: readonly Job[]): Promise<void>;
  /** Jobs that wait, or wait for their time. @throws when Redis does not say */
  backlog(): Promise<number>;
  start(handlers: Handlers): void;
  /** Takes no new job, and waits for those at hand; after `limitMs` they are given back. */
  drain(limitMs: number): Promise<void>;
};

const GIVEN_BACK_MS = 1_000;
/** For what is said to Redis at the end. */
const GOODBYE_MS = 5_000;
/** After Redis refused to hand over a job, as a copy does: by then the connection is a new one. */
const REFUSED_REST_MS = 1_000;
/** A job that took its worker with it so often is not tried again. */
const MAX_STALLS = 2;

/** Takes jobs from the queue; counts what becomes of them, and what waits. */
export function openConsumer(settings: ConsumerSettings): Consumer {
  const { url, logger, registry, telemetry, lockMs = 30_000 } = settings;
  const shared = { prefix: PREFIX, skipVersionCheck: true, ...(telemetry && { telemetry }) };
  // asking must not wait behind what the worker blocks on, and gives up quickly
  const redis = connectRedis(url, logger);
  const queue = new Queue(QUEUE, { ...shared, connection: redis, skipWaitingForReady: true });
  watchEviction(redis, logger);
  const connection = new Redis(url, { ...recovering, maxRetriesPerRequest: null });
  connection.on('error', error => logger.debug({ err: error }, 'redis'));
  queue.on('error', error => logger.debug({ err: error }, 'queue'));
  measureQueue(queue, registry);
  const stop = new AbortController();
  const atHand = new Set<Promise<void>>();
  let worker: Worker | undefined;

  return {
    redis,
    addAll: async jobs => {
      await queue.addBulk(jobs.map(({ name, ...data }) => ({ name, data, opts: optionsOf({ name, ...data } as Job) })));
    },
    backlog: () => queue.getJobCountByTypes('waiting', 'delayed'),
    start: handlers => {
      const process = (delivery: Delivery, token?: string) => {
        const attempt = deliver(handlers, delivery, token, stop.signal).finally(() => atHand.delete(attempt));
        atHand.add(attempt);
        return attempt;
      };
      worker = new Worker(QUEUE, process, {
        ...shared,
        connection,
        concurrency: settings.concurrency ?? 8,
        lockDuration: lockMs,
        stalledInterval: lockMs,
        maxStalledCount: MAX_STALLS,
        runRetryDelay: REFUSED_REST_MS,
      });
      worker.on('error', error => logger.debug({ err: error }, 'worker'));
      countJobs(worker, settings);
    },
    drain: async limitMs => {
      const timer = setTimeout(() => stop.abort(new Error('the worker stops')), limitMs);
      const closing = worker?.close().catch(() => undefined);
      // without Redis there is nobody to say goodbye to, and BullMQ would wait for it to come back; one that goes away in
      // this moment is not waited for, either: its locks expire, and others take the jobs
      const goodbye = connection.status === 'ready' ? closing : Promise.allSettled(atHand);
      await inTime(Promise.resolve(goodbye), limitMs + GOODBYE_MS);
      clearTimeout(timer);
      redis.disconnect();
      connection.disconnect();
    },
  };
}

async function deliver(handlers: Handlers, delivery: Delivery, token: string | undefined, signal: AbortSignal) {
  const parsed = jobSchema.safeParse({ ...delivery.data, name: delivery.name });
  if (!parsed.success) throw new UnrecoverableError('malformed job');
  const putOff = async (until: number) => {
    await delivery.moveToDelayed(until, token);
    throw new DelayedError();
  };
  const attempt: Attempt = {
    last: delivery.attemptsMade + 1 >= (delivery.opts.attempts ?? 1),
    signal,
    turn: delivery.data.turn,
    putOff: async until => {
      await delivery.updateData({ ...delivery.data, turn: until });
      return putOff(until);
    },
  };
  try {
    await handle(handlers, parsed.data, attempt);
  } catch (error) {
    if (!signal.aborted || error instanceof DelayedError) throw error;
    await putOff(Date.now() + GIVEN_BACK_MS);
  }
}

/** One line for each kind of job, so that the compiler knows that each handler gets its own. */
function handle(handlers: Handlers, job: Job, attempt: Attempt): Promise<void> {
  switch (job.name) {
    case 'link.check':
      return handlers['link.check'](job, attempt);
    case 'links.sweep':
      return handlers['links.sweep'](job, attempt);
  }
}

/** A stranger's job must not make a new series. */
const nameOf = (delivery: Delivery | undefined) => JOB_NAMES.find(name => name === delivery?.name) ?? 'unknown';

const OUTCOMES = ['done', 'retried', 'failed'] as const;

function countJobs(worker: Worker, { registry, logger, onFailure }: ConsumerSettings): void {
  const jobs = new Counter({
    name: 'devshelf_jobs_total',
    help: 'Attempts at a job, by what became of them',
    labelNames: ['job', 'outcome'] as const,
    registers: [registry],
  });
  // a rate over a series that is born with its first count does not see that one
  for (const job of JOB_NAMES) for (const outcome of OUTCOMES) jobs.inc({ job, outcome }, 0);
  const duration = new Histogram({
    name: 'devshelf_job_duration_seconds',
    help: 'Time from taking a job to its end',
    labelNames: ['job', 'outcome'] as const,
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers: [registry],
  });
  const stalled = new Counter({
    name: 'devshelf_jobs_stalled_total',
    help: 'Jobs taken over from a worker that was not heard of any more',
    registers: [registry],
  });
  const count = (delivery: Delivery | undefined, outcome: (typeof OUTCOMES)[number]) => {
    const labels = { job: nameOf(delivery), outcome };
    jobs.inc(labels);
    if (delivery?.processedOn) duration.observe(labels, Math.max(0, Date.now() - delivery.processedOn) / 1_000);
  };
  worker.on('completed', delivery => {
    count(delivery, 'done');
    logger.info({ job: delivery.name, id: delivery.id }, 'job done');
  });
  worker.on('failed', (delivery, error) => {
    const over = delivery?.finishedOn !== undefined;
    count(delivery, over ? 'failed' : 'retried');
    const told = { name: nameOf(delivery), id: delivery?.id };
    logger[over ? 'error' : 'info'](
      { err: error, job: told.name, id: told.id },
      over ? 'job failed' : 'job is retried',
    );
    if (over) onFailure?.(error, told);
  });
  worker.on('stalled', () => stalled.inc());
}

const STATES = ['waiting', 'active', 'delayed', 'failed'] as const;

/** Read from Redis at each scrape. When it does not answer there is no value: an old one would look like a quiet queue. */
function measureQueue(queue: Queue, registry: Registry): void {
  new Gauge({
    name: 'devshelf_queue_jobs',
    help: 'Jobs in the queue, the same number from each worker',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      this.reset();
      const counts = await queue.getJobCounts(...STATES).catch(() => undefined);
      if (counts) for (const state of STATES) this.set({ state }, counts[state] ?? 0);
    },
  });
  new Gauge({
    name: 'devshelf_queue_oldest_waiting_seconds',
    help: 'Age of the job that has waited longest; 0 when none waits',
    labelNames: [],
    registers: [registry],
    async collect() {
      this.remove();
      const waiting = await queue.getJobs(['waiting'], 0, 0, true).catch(() => undefined);
      if (waiting) this.set(waiting[0] ? Math.max(0, Date.now() - waiting[0].timestamp) / 1_000 : 0);
    },
  });
}
