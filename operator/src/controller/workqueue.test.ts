import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Clock, type QueueOptions, WorkQueue, work } from './workqueue.ts';

class TestClock implements Clock {
  #now = 0;
  #timers: { atMs: number; callback: () => void }[] = [];

  nowMs = () => this.#now;

  after = (ms: number, callback: () => void) => {
    const timer = { atMs: this.#now + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter(other => other !== timer);
    };
  };

  advance(ms: number): void {
    const until = this.#now + ms;
    for (let due = this.#due(until); due; due = this.#due(until)) {
      this.#now = due.atMs;
      this.#timers = this.#timers.filter(other => other !== due);
      due.callback();
    }
    this.#now = until;
  }

  get timers(): number {
    return this.#timers.length;
  }

  #due(until: number) {
    return this.#timers.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs)[0];
  }
}

function queueWith(options: QueueOptions = {}) {
  const clock = new TestClock();
  return { clock, queue: new WorkQueue({ clock, ...options }) };
}

test('keys come in the order they were added, each once', async () => {
  const { queue } = queueWith();
  for (const key of ['a', 'b', 'a', 'b']) queue.add(key);
  expect([await queue.next(), await queue.next()]).toEqual(['a', 'b']);
  expect(queue.depth).toBe(0);
});

test('of many at once, each is brought to its end before others are begun, and every eighth turn begins one', async () => {
  const { queue } = queueWith();
  const turn = async (again: boolean): Promise<string | undefined> => {
    const key = await queue.next();
    if (key === undefined) return undefined;
    if (again) queue.add(key);
    queue.done(key);
    return key;
  };
  for (let index = 0; index < 100; index++) queue.add(`new ${index}`);
  // a pass leads to another one: seven of the first, then one of the next
  const order = [];
  for (let passes = 0; passes < 17; passes++) order.push(await turn(true));
  expect(order.slice(0, 9)).toEqual([...Array(8).fill('new 0'), 'new 1']);
  expect(new Set(order).size).toBe(3);
  while (queue.depth > 0) await turn(false);
  // what is known goes before what is new, and one that went is new again
  queue.gone('new 7');
  for (const key of ['newer', 'new 7', 'new 5']) queue.add(key);
  expect([await turn(false), await turn(false), await turn(false)]).toEqual(['new 5', 'newer', 'new 7']);
});

test('what somebody else has begun goes before what is new, also where it waits among that already', async () => {
  const { queue } = queueWith();
  for (const key of ['a', 'b', 'c']) queue.add(key);
  queue.add('c', true);
  queue.add('d', true);
  expect(queue.depth).toBe(4);
  const order = [];
  for (let turn = 0; turn < 4; turn++) order.push(await queue.next());
  expect(order).toEqual(['c', 'd', 'a', 'b']);
  expect(queue.depth).toBe(0);
});

test('a key added while it is worked on comes again, but only after done', async () => {
  const { queue } = queueWith();
  queue.add('a');
  await queue.next();
  queue.add('a');
  queue.add('a');
  expect(queue.depth).toBe(0);
  queue.done('a');
  expect(queue.depth).toBe(1);
  expect(await queue.next()).toBe('a');
  queue.done('a');
  expect(queue.depth).toBe(0);
});

test('an idle worker gets the key at once', async () => {
  const { queue } = queueWith();
  const key = queue.next();
  queue.add('a');
  expect(await key).toBe('a');
});

test('of two times the earlier one counts, whichever was said first', () => {
  const { queue, clock } = queueWith();
  queue.addAfter('a', 100);
  queue.addAfter('a', 50);
  queue.addAfter('a', 200);
  clock.advance(49);
  expect(queue.depth).toBe(0);
  clock.advance(1);
  expect(queue.depth).toBe(1);
  expect(clock.timers).toBe(0);
});

test('failures wait twice as long each time, up to the limit, until they are forgotten', () => {
  const { queue, clock } = queueWith({ baseMs: 10, maxMs: 50 });
  const waits = [10, 20, 40, 50, 50].map(expected => {
    queue.addRateLimited('a');
    clock.advance(expected - 1);
    const early = queue.depth;
    clock.advance(1);
    const due = queue.depth;
    void queue.next();
    queue.done('a');
    return [early, due];
  });
  expect(waits).toEqual(Array(5).fill([0, 1]));
  expect(queue.failures('a')).toBe(5);
  queue.forget('a');
  expect(queue.failures('a')).toBe(0);
});

test('an API server that was away for ten minutes: every key is tried within five seconds of its return', async () => {
  const { queue, clock } = queueWith();
  const tries: number[] = [];
  queue.add('a');
  while (clock.nowMs() < 600_000) {
    if (queue.depth > 0) {
      await queue.next();
      tries.push(clock.nowMs());
      queue.addRateLimited('a');
      queue.done('a');
    }
    clock.advance(5);
  }
  const waits = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
  expect(Math.max(...waits)).toBeLessThanOrEqual(5_000);
  expect(tries.length).toBeLessThan(140);
});

test('a key in a hurry waits no longer than it can', () => {
  const { queue, clock } = queueWith({ baseMs: 10, maxMs: 1_000 });
  for (let failure = 0; failure < 9; failure++) queue.addRateLimited('calm');
  for (let failure = 0; failure < 9; failure++) queue.addRateLimited('hurried', 200);
  expect(queue.failures('hurried')).toBe(9);
  clock.advance(10); // the first failure of each
  expect(queue.depth).toBe(2);
  for (const key of ['calm', 'hurried']) {
    void queue.next();
    queue.addRateLimited(key, key === 'hurried' ? 200 : undefined);
    queue.done(key);
  }
  clock.advance(200);
  expect(queue.depth).toBe(1);
});

test('a handler that throws may say how long it can wait at most', async () => {
  const { queue, clock } = queueWith({ baseMs: 1_000 });
  let calls = 0;
  const handle = async () => {
    calls++;
    throw new Error('refused');
  };
  const working = work(queue, { workers: 1, handle, onError: () => 100 });
  queue.add('a');
  await new Promise(resolve => setImmediate(resolve));
  clock.advance(100);
  await new Promise(resolve => setImmediate(resolve));
  expect(calls).toBe(2);
  await queue.shutDown();
  await working;
});

test('a time that is none is refused: taken for one, it would come at once for ever', () => {
  const { queue } = queueWith();
  expect(() => queue.addAfter('a', Number.NaN)).toThrow('a cannot be added after NaN ms');
});

test('a time years away does not come at once', async () => {
  const queue = new WorkQueue();
  queue.addAfter('a', 10 * 365 * 86_400_000);
  await new Promise(resolve => setTimeout(resolve, 20));
  expect(queue.depth).toBe(0);
  await queue.shutDown();
});

test('shut down leaves what is due to the next process, drops what is delayed, and waits for the workers', async () => {
  const { queue, clock } = queueWith();
  queue.add('worked on');
  await queue.next();
  for (const key of ['worked on', 'due']) queue.add(key);
  queue.addAfter('later', 10);
  let ended = false;
  const shutDown = queue.shutDown().then(() => {
    ended = true;
  });
  queue.add('new');
  expect([clock.timers, queue.depth]).toEqual([0, 0]);
  expect(await queue.next()).toBeUndefined();
  expect(ended).toBe(false);
  queue.done('worked on');
  await shutDown;
});

test('shut down releases idle workers, and needs none', async () => {
  const { queue } = queueWith();
  const idle = queue.next();
  const shutDown = queue.shutDown();
  expect(await idle).toBeUndefined();
  await shutDown;
  const standby = queueWith().queue;
  standby.add('due');
  await standby.shutDown();
});

test('a worker whose time is over gets no key, and the key waits for another worker', async () => {
  const { queue } = queueWith();
  const over = new AbortController();
  const idle = queue.next(over.signal);
  over.abort();
  expect(await idle).toBeUndefined();
  queue.add('a');
  expect(await queue.next(over.signal)).toBeUndefined();
  expect(await queue.next()).toBe('a');
});

test('keys that wait for nothing leave everybody else a turn', async () => {
  const queue = new WorkQueue();
  for (let key = 0; key < 1_000; key++) queue.add(`${key}`);
  let [handled, turns] = [0, 0];
  const others = setInterval(() => turns++, 0);
  const handle = async () => {
    const untilMs = performance.now() + 0.2;
    while (performance.now() < untilMs);
    handled += 1;
    if (handled === 1_000) void queue.shutDown();
  };
  await work(queue, { workers: 4, handle, onError: () => undefined });
  clearInterval(others);
  expect(turns).toBeGreaterThan(20); // of some two hundred milliseconds
});

test('work ends with its signal when the handlers have ended, and goes on in the next term', async () => {
  const { queue } = queueWith();
  const seen: string[] = [];
  const first = Promise.withResolvers<void>();
  const handle = async (key: string) => {
    seen.push(key);
    if (key === 'a') await first.promise;
  };
  const term = new AbortController();
  const working = work(queue, { workers: 1, handle, onError: () => undefined, signal: term.signal });
  queue.add('a');
  queue.add('b');
  term.abort();
  first.resolve();
  await working;
  expect([seen, queue.depth]).toEqual([['a'], 1]);
  const again = work(queue, { workers: 1, handle, onError: () => undefined });
  await queue.shutDown();
  await again;
  expect(seen).toEqual(['a', 'b']);
});

test('the key that is worked on for longest is known', async () => {
  const { queue, clock } = queueWith();
  expect(queue.oldest).toBeUndefined();
  for (const key of ['a', 'b']) {
    queue.add(key);
    await queue.next();
    clock.advance(10);
  }
  expect(queue.oldest).toEqual({ key: 'a', ms: 20 });
  queue.done('a');
  expect(queue.oldest).toEqual({ key: 'b', ms: 10 });
});

test('hooks say depth, latency and work', async () => {
  const seen: [string, unknown][] = [];
  const note = (what: string) => (value: unknown) => seen.push([what, value]);
  const { queue, clock } = queueWith({
    hooks: { added: note('added'), depth: note('depth'), waited: note('waited'), worked: note('worked') },
  });
  queue.add('a');
  clock.advance(30);
  await queue.next();
  clock.advance(7);
  queue.done('a');
  expect(seen).toEqual([
    ['added', 'a'],
    ['depth', 1],
    ['depth', 0],
    ['waited', 30],
    ['worked', 7],
  ]);
});

test('a handler that throws is asked again; one that succeeds starts from zero', async () => {
  const { queue, clock } = queueWith();
  const errors: unknown[] = [];
  let calls = 0;
  const handle = async () => {
    calls++;
    if (calls < 3) throw new Error(`failure ${calls}`);
  };
  const working = work(queue, {
    workers: 2,
    handle,
    onError: (_key, error) => void errors.push(error),
  });
  queue.add('a');
  for (let turn = 0; turn < 10; turn++) {
    await Promise.resolve();
    await new Promise(resolve => setImmediate(resolve));
    clock.advance(100);
  }
  expect([calls, errors.length, queue.failures('a')]).toEqual([3, 2, 0]);
  await queue.shutDown();
  await working;
});

// The promise everything rests on: after every add there is a pass that began later, and passes of a key never overlap.
test('no add is lost and no key is worked on twice at once, whatever the order of things', async () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  console.log(`workqueue property: SEED=${seed}`);
  const key = fc.constantFrom('a', 'b', 'c');
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), key }),
    fc.record({ kind: fc.constant('addAfter' as const), key, ms: fc.integer({ min: -1, max: 20 }) }),
    fc.record({ kind: fc.constant('fail' as const), key }),
    fc.record({ kind: fc.constant('take' as const) }),
    fc.record({ kind: fc.constant('done' as const), key }),
    fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 30 }) }),
  );
  type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;
  const run = async (operations: readonly Operation[]) => {
    const { queue, clock } = queueWith({ maxMs: 25 });
    const owed = new Set<string>(); // added since the last pass of this key began
    const working = new Set<string>();
    const take = () => {
      void queue.next().then(taken => {
        if (taken === undefined) return;
        if (working.has(taken)) throw new Error(`${taken} is worked on twice`);
        working.add(taken);
        owed.delete(taken);
      });
    };
    const owe = (key: string, act: () => void) => {
      owed.add(key);
      act();
    };
    const act: { [Kind in Operation['kind']]: (operation: Extract<Operation, { kind: Kind }>) => void } = {
      add: ({ key }) => owe(key, () => queue.add(key)),
      addAfter: ({ key, ms }) => owe(key, () => queue.addAfter(key, ms)),
      fail: ({ key }) => owe(key, () => queue.addRateLimited(key)),
      take,
      done: ({ key }) => {
        if (working.delete(key)) queue.done(key);
      },
      advance: ({ ms }) => clock.advance(ms),
    };
    for (const operation of operations) {
      act[operation.kind](operation as never);
      await Promise.resolve();
      await Promise.resolve();
    }
    // let everything come to an end: what is owed must be handed out
    for (let turn = 0; turn < 12; turn++) {
      clock.advance(30);
      take();
      await new Promise(resolve => setImmediate(resolve));
      for (const key of [...working]) {
        working.delete(key);
        queue.done(key);
      }
      await new Promise(resolve => setImmediate(resolve));
    }
    expect([...owed]).toEqual([]);
    expect(queue.depth).toBe(0);
  };
  await fc.assert(fc.asyncProperty(fc.array(operation, { maxLength: 60 }), run), { seed, numRuns: 150 });
});
