/** The operator's `/metrics` alone, of as many resources as it is told of, each with all that there may be to tell. */
import '../../operator/src/little-code.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createMetrics } from '../../operator/src/controller/metrics.ts';
import { serveHealth } from '../../operator/src/controller/server.ts';
import { keyOfApp } from '../../operator/src/controller/world.ts';
import { decide } from '../../operator/src/lifecycle/plan.ts';
import type { Snapshot } from '../../operator/src/lifecycle/snapshot.ts';
import { statusOf } from '../../operator/src/lifecycle/status.ts';
import { app, at, carrying, incident, release, revision, T0 } from '../../operator/src/lifecycle/testing.ts';

export type Ask =
  | { readonly fill: number }
  /** `turns`: how long they are is measured, which takes a processor; else what is done costs what it costs. */
  | { readonly begin: 'turns' | 'cost' }
  | 'collect'
  | 'end';

/** Since `begin`; the heap is that of now. */
export interface Told {
  readonly port: number;
  readonly longestTurnMs: number;
  /** Of the loop's thread: where others want the processor, too, it is less than the time. */
  readonly longestTurnCpuMs: number;
  readonly cpuMs: number;
  readonly rssMib: number;
  readonly peakRssMib: number;
  readonly heapMib: number;
}

const NAMESPACES = 50;
const exposure = { host: 'shop.example.org', tls: { secretName: 'shop-tls' } };
const SHOP = app({ exposure });

/** At rest, and on this day it was released after another release of it was taken back. */
function seenOf(index: number): Snapshot {
  const hash = `v${(index + 2 ** 36).toString(16)}`;
  const name = `dashboard-${index}`;
  const note = (seconds: number) => ({ release: hash, reason: 'AnalysisPassed', at: at(seconds - index) });
  const seen = carrying(
    {
      ...{ phase: 'Settled', release: hash, stable: hash, since: at(-60 - index) },
      decisions: { candidate: note(-300), promoted: note(-200), released: note(-60) },
    },
    {},
    {
      app: { ...SHOP, metadata: { ...SHOP.metadata, namespace: `team-${index % NAMESPACES}`, name } },
      wanted: { known: true, readAt: T0, value: { release: release(hash), databaseIdentity: 'db' } },
      revisions: [revision(hash, 'released', { number: 2 })],
      incidents: [incident('v2', at(-900 - index))],
      certificate: { secret: 'shop-tls', isThere: true, expiresAt: T0 + 86_400_000 * 60 },
    },
  );
  const keys = (['api', 'scrape'] as const).flatMap(key =>
    seen.keys.map(one => ({ ...one, name: key, createdAt: T0 })),
  );
  return { ...seen, keys };
}

const metrics = createMetrics({ watchAges: () => new Map(), isLeader: () => true, version: 'bench' });
const server = await serveHealth(0, { metrics: metrics.pieces, dead: () => undefined, unready: () => undefined });
const { port } = server.address() as AddressInfo;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as NodeJS.GCFunction;

let cpu = process.cpuUsage();
let longestTurnMs = 0;
let longestTurnCpuMs = 0;
let isWatched = false;

const threadCpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};

/** With something to do in each of its turns the loop never waits: from one to the next is how long it took. */
function watch(beganAt: number, cpuMs: number): void {
  if (!isWatched) return;
  const [now, cpuNow] = [performance.now(), threadCpuMs()];
  longestTurnMs = Math.max(longestTurnMs, now - beganAt);
  longestTurnCpuMs = Math.max(longestTurnCpuMs, cpuNow - cpuMs);
  setImmediate(watch, now, cpuNow);
}

function fill(count: number): void {
  for (let index = 0; index < count; index += 1) {
    const seen = seenOf(index);
    metrics.resources.set(keyOfApp(seen.app), seen, statusOf(seen, decide(seen)));
  }
}

/** What was compiled and is not run any more goes at the second or third time. */
async function collectAll(): Promise<void> {
  for (let left = 8; left > 0; left -= 1) {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    await sleep(50);
  }
}

function begin(what: 'turns' | 'cost'): void {
  // the highest from now on
  writeFileSync('/proc/self/clear_refs', '5');
  cpu = process.cpuUsage();
  longestTurnMs = 0;
  longestTurnCpuMs = 0;
  isWatched = what === 'turns';
  if (isWatched) setImmediate(watch, performance.now(), threadCpuMs());
}

function told(): Told {
  const { user, system } = process.cpuUsage(cpu);
  const status = readFileSync('/proc/self/status', 'utf8');
  const mib = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
  return {
    ...{ port, longestTurnMs, longestTurnCpuMs, cpuMs: (user + system) / 1_000 },
    ...{ rssMib: mib('VmRSS'), peakRssMib: mib('VmHWM'), heapMib: process.memoryUsage().heapUsed / 2 ** 20 },
  };
}

process.on('message', async (ask: Ask) => {
  if (ask === 'collect') await collectAll();
  else if (ask === 'end') isWatched = false;
  else if ('fill' in ask) fill(ask.fill);
  else begin(ask.begin);
  process.send?.(told());
});
