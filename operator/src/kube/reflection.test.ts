import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  ABSENT_BACKOFF,
  FAILURE_BACKOFF,
  hasSynced,
  type Input,
  MAX_RETRY_AFTER_MS,
  type Next,
  PROGRESS_MS,
  type State,
  type Step,
  step,
} from './reflection.ts';
import { Store } from './store.ts';

type Item = { metadata: { name: string; namespace: string; uid: string; resourceVersion: string } };

const item = (name: string, version: number): Item => ({
  metadata: { name, namespace: 'n', uid: name, resourceVersion: `${version}` },
});
const a = item('a', 3);
const failure = (status: number, retryAfterMs?: number) => ({ status, message: `status ${status}`, retryAfterMs });

const empty: State<Item> = { phase: 'empty' };
const listing: State<Item> = { phase: 'listing', pages: [], continueToken: undefined, failures: 0 };
const secondPage: State<Item> = { ...listing, pages: [[a]], continueToken: 'more' };
const relisting: State<Item> = { ...listing, phase: 'relisting' };
const watching: State<Item> = { phase: 'watching', resourceVersion: '5', failures: 0 };
const absent: State<Item> = { phase: 'absent', reason: 'NotServed', message: '', asked: 1, holding: false };
const page = (objects: Item[], continueToken?: string): Input<Item> => ({
  input: 'page',
  objects,
  resourceVersion: '5',
  continueToken,
});
const listFailed = (status: number, retryAfterMs?: number): Input<Item> => ({
  input: 'listFailed',
  failure: failure(status, retryAfterMs),
});
const watchFailed = (status: number, lastedMs = 0, retryAfterMs?: number): Input<Item> => ({
  input: 'watchFailed',
  failure: failure(status, retryAfterMs),
  lastedMs,
});

type Row = [
  string,
  State<Item>,
  Input<Item>,
  { phase: State<Item>['phase']; next: Next; change?: object; and?: object },
];
const rows: Row[] = [
  [
    'asked to be new, it lists although the watch is open, and keeps what it holds meanwhile',
    watching,
    { input: 'refresh' },
    { phase: 'relisting', next: { next: 'list', continueToken: undefined } },
  ],
  [
    'an event that is told again changes nothing',
    watching,
    { input: 'changed', object: item('a', 5) },
    { phase: 'watching', next: { next: 'read' } },
  ],
  [
    'a list that is under way goes on when it is asked to be new',
    listing,
    { input: 'refresh' },
    { phase: 'listing', next: { next: 'nothing' } },
  ],
  [
    'a server that asks to be left alone for weeks is asked all the same',
    listing,
    listFailed(429, 35 * 86_400_000),
    { phase: 'listing', next: { next: 'wait', ms: MAX_RETRY_AFTER_MS } },
  ],
  [
    'it begins with a list',
    empty,
    { input: 'start' },
    { phase: 'listing', next: { next: 'list', continueToken: undefined } },
  ],
  [
    'a page that is not the last asks for the next',
    listing,
    page([a], 'more'),
    {
      phase: 'listing',
      next: { next: 'list', continueToken: 'more' },
      and: { pages: [[a]] },
    },
  ],
  [
    'the last page fills the store with all pages, and the watch goes on from there',
    secondPage,
    page([item('b', 4)]),
    {
      phase: 'watching',
      next: { next: 'watch', resourceVersion: '5' },
      change: { change: 'replace', objects: [a, item('b', 4)], resourceVersion: '5' },
    },
  ],
  [
    'a page that fails is asked for again, the pages before it are kept',
    secondPage,
    listFailed(503),
    {
      phase: 'listing',
      next: { next: 'wait', ms: 100 },
      and: { pages: [[a]], continueToken: 'more', failures: 1 },
    },
  ],
  [
    'a page whose history is gone begins the list anew',
    secondPage,
    listFailed(410),
    {
      phase: 'listing',
      next: { next: 'wait', ms: 100 },
      and: { pages: [], continueToken: undefined },
    },
  ],
  [
    'after the wait the page is asked for again',
    secondPage,
    { input: 'waited' },
    {
      phase: 'listing',
      next: { next: 'list', continueToken: 'more' },
    },
  ],
  [
    'the server says how long to wait',
    listing,
    listFailed(429, 3_000),
    { phase: 'listing', next: { next: 'wait', ms: 3_000 } },
  ],
  [
    'a resource that is not served is asked for slowly',
    listing,
    listFailed(404),
    {
      phase: 'absent',
      next: { next: 'wait', ms: ABSENT_BACKOFF.baseMs },
      and: { reason: 'NotServed', holding: false },
    },
  ],
  [
    'a resource one may not list is another matter',
    relisting,
    listFailed(403),
    {
      phase: 'absent',
      next: { next: 'wait', ms: ABSENT_BACKOFF.baseMs },
      and: { reason: 'Forbidden', holding: true },
    },
  ],
  [
    'an event moves the watch on and ends the failures',
    { ...watching, failures: 3 },
    { input: 'changed', object: item('a', 9) },
    {
      phase: 'watching',
      next: { next: 'read' },
      change: { change: 'upsert', object: item('a', 9) },
      and: { resourceVersion: '9', failures: 0 },
    },
  ],
  [
    'a deletion too',
    watching,
    { input: 'deleted', object: item('a', 9) },
    {
      phase: 'watching',
      next: { next: 'read' },
      change: { change: 'remove', object: item('a', 9) },
      and: { resourceVersion: '9' },
    },
  ],
  [
    'and a bookmark',
    { ...watching, failures: 3 },
    { input: 'bookmark', resourceVersion: '8' },
    {
      phase: 'watching',
      next: { next: 'read' },
      change: { change: 'advance', resourceVersion: '8' },
      and: { resourceVersion: '8', failures: 0 },
    },
  ],
  [
    'a watch that ends after its time is opened again at once',
    watching,
    { input: 'watchEnded', lastedMs: 290_000 },
    {
      phase: 'watching',
      next: { next: 'watch', resourceVersion: '5' },
    },
  ],
  [
    'one that ends as soon as it began is not',
    watching,
    { input: 'watchEnded', lastedMs: 1 },
    {
      phase: 'watching',
      next: { next: 'wait', ms: 100 },
      and: { failures: 1 },
    },
  ],
  [
    'a watch that breaks goes on from where it was',
    { ...watching, failures: 2 },
    watchFailed(0),
    {
      phase: 'watching',
      next: { next: 'wait', ms: 400 },
      and: { resourceVersion: '5', failures: 3 },
    },
  ],
  [
    'after the wait it is opened',
    watching,
    { input: 'waited' },
    { phase: 'watching', next: { next: 'watch', resourceVersion: '5' } },
  ],
  [
    'history that ran out is listed at once',
    watching,
    watchFailed(410),
    {
      phase: 'relisting',
      next: { next: 'list', continueToken: undefined },
      and: { failures: 1 },
    },
  ],
  [
    'if that did not help, slowly',
    { ...watching, failures: 1 },
    watchFailed(410),
    {
      phase: 'relisting',
      next: { next: 'wait', ms: 200 },
      and: { failures: 2 },
    },
  ],
  [
    'a resource that is served no more is asked for again before its objects go',
    watching,
    watchFailed(404),
    {
      phase: 'absent',
      next: { next: 'wait', ms: 2_000 },
      and: { holding: true, asked: 1 },
    },
  ],
  [
    'still not served: they are gone',
    { ...absent, holding: true },
    listFailed(404),
    {
      phase: 'absent',
      next: { next: 'wait', ms: 4_000 },
      change: { change: 'replace', objects: [], resourceVersion: '' },
      and: { holding: false },
    },
  ],
  [
    'what one might not see, and now is not served, may still be there',
    { ...absent, reason: 'Forbidden', holding: true, asked: 9 },
    listFailed(404),
    { phase: 'absent', next: { next: 'wait', ms: 2_000 }, and: { reason: 'NotServed', holding: true, asked: 1 } },
  ],
  [
    'a list alone does not end the failures: only the watch shows whether it was of use',
    { ...relisting, failures: 4 },
    page([a]),
    {
      phase: 'watching',
      next: { next: 'watch', resourceVersion: '5' },
      change: { change: 'replace', objects: [a], resourceVersion: '5' },
      and: { failures: 4 },
    },
  ],
  [
    'what one may not see any more is not gone',
    { ...absent, reason: 'Forbidden', holding: true, asked: 9 },
    listFailed(403),
    {
      phase: 'absent',
      next: { next: 'wait', ms: 30_000 },
      and: { holding: true },
    },
  ],
  [
    'an API server that does not answer is no news about the resource',
    { ...absent, holding: true },
    listFailed(0),
    {
      phase: 'absent',
      next: { next: 'wait', ms: 100 },
      and: { holding: true, asked: 1 },
    },
  ],
  [
    'after the wait it is asked for',
    absent,
    { input: 'waited' },
    { phase: 'absent', next: { next: 'list', continueToken: undefined } },
  ],
  [
    'the resource appears',
    absent,
    page([a]),
    {
      phase: 'watching',
      next: { next: 'watch', resourceVersion: '5' },
      change: { change: 'replace', objects: [a], resourceVersion: '5' },
    },
  ],
  [
    'it appears, in pages',
    { ...absent, holding: true },
    page([a], 'more'),
    {
      phase: 'relisting',
      next: { next: 'list', continueToken: 'more' },
      and: { pages: [[a]] },
    },
  ],
  [
    'what comes too late changes nothing',
    listing,
    { input: 'changed', object: a },
    { phase: 'listing', next: { next: 'nothing' } },
  ],
];

test.each(rows)('%s', (_case, state, input, { phase, next, change, and }) => {
  const taken = step(state, input);
  expect(taken.next).toEqual(next);
  expect(taken.change).toEqual(change);
  expect(taken.state).toMatchObject({ phase, ...and });
});

test.each<[string, State<Item>, boolean]>([
  ['nothing was asked', empty, false],
  ['the first list is under way', listing, false],
  ['it was listed', watching, true],
  ['it is listed again', relisting, true],
  ['there is no such resource', absent, true],
  ['it may not be seen', { ...absent, reason: 'Forbidden' }, false],
  ['it may not be seen any more', { ...absent, reason: 'Forbidden', holding: true }, true],
])('synced or not: %s', (_case, state, expected) => {
  expect(hasSynced(state)).toBe(expected);
});

// A model API server: its history is a list of events, of which it forgets the oldest; it fails as it likes. The mirror
// is what a store would hold. Whatever happens, once the server behaves the mirror must become equal to the truth.
class ModelServer {
  readonly history: { version: number; name: string; gone: boolean }[] = [];
  forgotten = 0;
  version = 10;

  write(name: string, gone: boolean): void {
    const exists = this.truth().has(name);
    if (gone && !exists) return;
    this.version++;
    this.history.push({ version: this.version, name, gone });
  }

  truth(upTo = Number.POSITIVE_INFINITY): Map<string, string> {
    const objects = new Map<string, string>();
    for (const { version, name, gone } of this.history) {
      if (version > upTo) break;
      if (gone) objects.delete(name);
      else objects.set(name, `${version}`);
    }
    return objects;
  }
}

/** The store, and what it has ever told: nothing older than what it told before. */
class Mirror {
  readonly store = new Store<Item>();
  readonly #told = new Map<string, number>();

  constructor() {
    this.store.onChange((before, after) => {
      const { name = '', resourceVersion = '' } = (after ?? before)?.metadata ?? {};
      const version = Number(resourceVersion);
      const last = this.#told.get(name) ?? 0;
      if (after ? version <= last : version < last) throw new Error(`${name} goes back from ${last} to ${version}`);
      this.#told.set(name, after ? version : Math.max(version, Number(this.store.resourceVersion)));
    });
  }

  get version(): number {
    return Number(this.store.resourceVersion);
  }

  get objects(): Map<string, string> {
    return new Map(this.store.list().map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
  }

  take({ change }: Step<Item>): void {
    const before = this.version;
    switch (change?.change) {
      case 'replace':
        this.store.replace(
          change.objects.map(object => this.store.pack(object)),
          change.resourceVersion,
        );
        if (change.resourceVersion === '') this.#told.clear(); // a kind that is not served any more has no history
        break;
      case 'upsert':
        this.store.upsert(change.object);
        break;
      case 'remove':
        this.store.remove(change.object);
        break;
      case 'advance':
        this.store.advance(change.resourceVersion);
        break;
    }
    if (this.version !== 0 && this.version < before) throw new Error(`from ${before} back to ${this.version}`);
  }
}

/** `replays`: events that were told before come again. `lags`: half of what there is comes later. `drops`: one never comes. */
const MOODS = [
  'well',
  'refuses',
  'breaks',
  'forgets',
  'ends',
  'notServed',
  'forbidden',
  'replays',
  'lags',
  'drops',
] as const;
type Mood = (typeof MOODS)[number];

function isProgress(input: Input<Item>): boolean {
  if (input.input === 'watchEnded') return input.lastedMs >= PROGRESS_MS;
  return input.input !== 'watchFailed' && input.input !== 'listFailed';
}

const REFUSALS: Partial<Record<Mood, number>> = { notServed: 404, forbidden: 403, refuses: 503 };

class Simulation {
  readonly server = new ModelServer();
  readonly mirror = new Mirror();
  state: State<Item> = empty;
  next: Next = { next: 'nothing' };
  requests = 0;
  waitedMs = 0;
  /** Whether the last turn got anything out of the server, or out of time passing. */
  brought = false;
  /** An event was dropped, and nothing was listed since. */
  deceived = false;
  #pageVersion = 0;

  constructor() {
    this.#feed({ input: 'start' });
  }

  /** Somebody does not trust the watch. */
  refresh(): void {
    if (this.state.phase === 'watching') this.#feed({ input: 'refresh' });
  }

  /** Whether the store tells the truth of the moment that it says it does. */
  get isTrue(): boolean {
    if (this.deceived || !hasSynced(this.state) || this.state.phase === 'absent') return true;
    const truth = this.server.truth(this.mirror.version);
    return JSON.stringify([...truth].sort()) === JSON.stringify([...this.mirror.objects].sort());
  }

  #feed(input: Input<Item>): void {
    this.brought = isProgress(input);
    const taken = step(this.state, input);
    this.mirror.take(taken);
    if (taken.change?.change === 'replace') this.deceived = false;
    this.state = taken.state;
    // while a watch is read, it stays open
    if (taken.next.next !== 'read') this.next = taken.next;
  }

  turn(mood: Mood): void {
    const { next } = this;
    if (next.next === 'wait') {
      this.waitedMs += next.ms;
      this.#feed({ input: 'waited' });
    } else if (next.next === 'list') {
      this.requests++;
      this.#feed(this.#answerList(mood, next.continueToken));
    } else if (next.next === 'watch') {
      this.requests++;
      this.#watch(mood, Number(next.resourceVersion));
    } else {
      throw new Error(`stuck: ${JSON.stringify(this.state)}`);
    }
  }

  #answerList(mood: Mood, continueToken: string | undefined): Input<Item> {
    const refusal = REFUSALS[mood] ?? (mood === 'breaks' ? 0 : undefined);
    if (refusal !== undefined) return listFailed(refusal);
    if (continueToken !== undefined && mood === 'forgets') return listFailed(410);
    const start = Number(continueToken ?? 0);
    if (start === 0) this.#pageVersion = this.server.version;
    const all = [...this.server.truth(this.#pageVersion)].map(([name, version]) => item(name, Number(version)));
    const objects = all.slice(start, start + 2);
    const more = start + 2 < all.length ? `${start + 2}` : undefined;
    return { input: 'page', objects, resourceVersion: `${this.#pageVersion}`, continueToken: more };
  }

  #watch(mood: Mood, from: number): void {
    if (mood === 'forgets') this.server.forgotten = this.server.version;
    const refusal = REFUSALS[mood] ?? (from < this.server.forgotten ? 410 : undefined);
    const since = mood === 'replays' ? from - 5 : from;
    const events = refusal ? [] : this.server.history.filter(({ version }) => version > since);
    // one that breaks does so in the middle of what it had to say
    const isHalf = mood === 'breaks' || mood === 'lags';
    const said = isHalf ? events.slice(0, Math.floor(events.length / 2)) : events;
    if (mood === 'drops' && said.shift()) this.deceived = true;
    for (const { version, name, gone } of said) {
      this.#feed({ input: gone ? 'deleted' : 'changed', object: item(name, version) });
    }
    if (refusal) this.#feed(watchFailed(refusal));
    else if (mood === 'breaks') this.#feed(watchFailed(0));
    else this.#feed({ input: 'watchEnded', lastedMs: mood === 'ends' ? 1 : PROGRESS_MS });
  }
}

test('whatever a server does, it is not stormed, no object goes back in time, and in the end the store is the truth', () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  console.log(`reflection property: SEED=${seed}`);
  const mood = fc.constantFrom(...MOODS);
  const write = fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd', 'e'), gone: fc.boolean() });
  const turn = fc.record({ mood, writes: fc.array(write, { maxLength: 3 }) });
  const run = (turns: { mood: Mood; writes: { name: string; gone: boolean }[] }[]) => {
    const simulation = new Simulation();
    const { server, mirror } = simulation;
    for (const { mood: now, writes } of turns) {
      for (const { name, gone } of writes) server.write(name, gone);
      const before = simulation.state;
      simulation.turn(now);
      // what brought nothing is followed by a wait; only the first loss of history is worth a list at once
      const mayList = before.phase === 'watching' && before.failures === 0;
      if (!simulation.brought) expect(mayList ? ['list', 'wait'] : ['wait']).toContain(simulation.next.next);
      expect(simulation.isTrue).toBe(true);
    }
    simulation.refresh();
    for (let calm = 0; calm < 12; calm++) simulation.turn('well');
    expect(mirror.objects).toEqual(server.truth());
    expect(simulation.state.phase).toBe('watching');
  };
  fc.assert(fc.property(fc.array(turn, { maxLength: 40 }), run), { seed, numRuns: 2_000 });
});

test('a server that refuses everything is asked less and less often', () => {
  const simulation = new Simulation();
  while (simulation.waitedMs < 600_000) simulation.turn('refuses');
  expect(simulation.requests).toBeLessThan(600_000 / FAILURE_BACKOFF.maxMs + 10);
});
