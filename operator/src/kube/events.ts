// Events for people who read `kubectl describe`. Best effort: whatever goes wrong is told to `onError` and forgotten;
// nothing waits for an event. Those of the core group, as `describe` puts them in order by `lastTimestamp`: in
// events.k8s.io/v1 the API server lets nobody write it, and such events stand there in any order.
//
// The same observation (object, reason, note) within the window is one Event object with a growing `count`, written at
// most once per flush. New Events come from a bucket of tokens of each object, and from one of all: what
// exceeds them is dropped and counted, and an object that has much to say costs others nothing.

import { hash } from 'node:crypto';
import { type EventObject, events, type KubeObject, microTime, pathOf } from './resource.ts';
import type { Transport } from './transport.ts';

/** Kubernetes cuts nothing: it refuses longer notes. */
const MAX_NOTE_BYTES = 1_024;

export type Observation = {
  regarding: Pick<KubeObject, 'apiVersion' | 'kind'> & { metadata: { namespace?: string; name: string; uid?: string } };
  type: 'Normal' | 'Warning';
  reason: string;
  /** What was done or failed to be done, in a word. */
  action?: string;
  note: string;
  /** Of the Event; they do not tell one observation from another. */
  annotations?: Readonly<Record<string, string>>;
};

export type RecorderOptions = {
  transport: Transport;
  /** Like `example.com/operator`. */
  controller: string;
  instance: string;
  windowMs?: number;
  /** How often repetitions are written. */
  flushMs?: number;
  /** New Events about one object at once, and how many more every second. */
  burst?: number;
  perSecond?: number;
  /** The same about all objects. */
  burstOfAll?: number;
  perSecondOfAll?: number;
  onError?: (error: unknown) => void;
  nowMs?: () => number;
};

type Series = {
  observation: Observation;
  namespace: string;
  name: string;
  firstAtMs: number;
  lastAtMs: number;
  count: number;
  writtenCount: number;
};

export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #windowMs: number;
  readonly #nowMs: () => number;
  readonly #series = new Map<string, Series>();
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #ofAll: Bucket;
  /** By object; one that is full again is forgotten. */
  readonly #ofEach = new Map<string, Bucket>();
  readonly #timer: NodeJS.Timeout;
  readonly #writing = new Set<Promise<void>>();
  #dropped = 0;

  constructor(options: RecorderOptions) {
    const { windowMs = 10 * 60_000, flushMs = 30_000, nowMs = Date.now } = options;
    const { burst = 25, perSecond = 1, burstOfAll = 250, perSecondOfAll = 20 } = options;
    this.#options = options;
    this.#windowMs = windowMs;
    this.#nowMs = nowMs;
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#ofAll = new Bucket(burstOfAll, perSecondOfAll, nowMs());
    this.#timer = setInterval(() => this.#flush(), flushMs).unref();
  }

  /** Observations that were not recorded because there were too many new ones. */
  get dropped(): number {
    return this.#dropped;
  }

  record(observation: Observation): void {
    const key = keyOf(observation);
    const nowMs = this.#nowMs();
    const known = this.#series.get(key);
    if (known && this.#isRecent(known, nowMs)) {
      known.count++;
      known.lastAtMs = nowMs;
      return;
    }
    if (!this.#take(observation, nowMs)) {
      this.#dropped++;
      return;
    }
    const series = this.#begin(key, observation, nowMs);
    this.#series.set(key, series);
    this.#write(key, this.#create(series));
  }

  /** Writes what is still to be written and waits for it. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#writing); // a repetition continues an Event that must be there first
    this.#flush();
    await Promise.all(this.#writing);
  }

  /** In whichever direction the clock was set since. */
  #isRecent({ lastAtMs }: Series, nowMs: number): boolean {
    return Math.abs(nowMs - lastAtMs) <= this.#windowMs;
  }

  #take({ regarding: { kind, metadata } }: Observation, nowMs: number): boolean {
    const object = JSON.stringify([kind, metadata.namespace, metadata.name]);
    const own = this.#ofEach.get(object) ?? new Bucket(this.#burst, this.#perSecond, nowMs);
    this.#ofEach.set(object, own);
    return own.take(nowMs) && this.#ofAll.take(nowMs);
  }

  #begin(key: string, observation: Observation, nowMs: number): Series {
    const { namespace = 'default', name } = observation.regarding.metadata;
    const id = hash('sha256', `${key} ${nowMs} ${this.#options.instance}`, 'hex').slice(0, 16);
    const own = { name: `${name.slice(0, 200)}.${id}`, namespace };
    return { observation, ...own, firstAtMs: nowMs, lastAtMs: nowMs, count: 1, writtenCount: 1 };
  }

  #flush(): void {
    const nowMs = this.#nowMs();
    for (const [key, series] of this.#series) {
      if (series.count > series.writtenCount) this.#write(key, this.#continue(series));
      else if (!this.#isRecent(series, nowMs)) this.#series.delete(key);
    }
    for (const [object, bucket] of this.#ofEach) if (bucket.isFull(nowMs)) this.#ofEach.delete(object);
  }

  /** One that failed is begun anew by the next observation: its Event may have expired. */
  #write(key: string, request: Promise<unknown>): void {
    const writing = request.then(
      () => {},
      error => {
        this.#series.delete(key);
        this.#options.onError?.(error);
      },
    );
    this.#writing.add(writing);
    void writing.then(() => this.#writing.delete(writing));
  }

  #create(series: Series): Promise<unknown> {
    const { transport, controller, instance } = this.#options;
    const path = pathOf(events, { namespace: series.namespace });
    return transport.request({ method: 'POST', path, body: eventObject(series, controller, instance) });
  }

  #continue(series: Series): Promise<unknown> {
    series.writtenCount = series.count;
    return this.#options.transport.request({
      method: 'PATCH',
      path: pathOf(events, { namespace: series.namespace, name: series.name }),
      contentType: 'application/merge-patch+json',
      body: { count: series.count, lastTimestamp: second(series.lastAtMs) },
    });
  }
}

/** A bucket of tokens that fills up again with time. A clock that is set back costs the time, not what is in it. */
class Bucket {
  readonly #size: number;
  readonly #perSecond: number;
  #tokens: number;
  #filledAtMs: number;

  constructor(size: number, perSecond: number, nowMs: number) {
    this.#size = size;
    this.#perSecond = perSecond;
    this.#tokens = size;
    this.#filledAtMs = nowMs;
  }

  take(nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#tokens === this.#size;
  }

  #fill(nowMs: number): void {
    const seconds = Math.max(0, nowMs - this.#filledAtMs) / 1_000;
    this.#tokens = Math.min(this.#size, this.#tokens + seconds * this.#perSecond);
    this.#filledAtMs = nowMs;
  }
}

function keyOf({ regarding, type, reason, note }: Observation): string {
  const { namespace, name, uid } = regarding.metadata;
  return JSON.stringify([regarding.kind, namespace, name, uid, type, reason, note]);
}

/** What the API server keeps of these. */
const second = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+/, '');

function shortened(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= MAX_NOTE_BYTES) return note;
  // a character cut in half at the end decodes to U+FFFD
  return `${bytes
    .subarray(0, MAX_NOTE_BYTES - 4)
    .toString('utf8')
    .replace(/\uFFFD+$/, '')}…`;
}

function eventObject(series: Series, controller: string, instance: string): EventObject {
  const { type, reason, action, note, regarding, annotations } = series.observation;
  const { namespace, name, uid } = regarding.metadata;
  return {
    apiVersion: events.apiVersion,
    kind: events.kind,
    metadata: {
      namespace: series.namespace,
      name: series.name,
      ...(annotations && { annotations: { ...annotations } }),
    },
    eventTime: microTime(series.firstAtMs),
    firstTimestamp: second(series.firstAtMs),
    lastTimestamp: second(series.lastAtMs),
    count: series.count,
    type,
    reason,
    action: action ?? reason,
    message: shortened(note),
    involvedObject: {
      apiVersion: regarding.apiVersion,
      kind: regarding.kind,
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
    },
    source: { component: controller },
    reportingComponent: controller,
    reportingInstance: instance.slice(0, 128),
  };
}
