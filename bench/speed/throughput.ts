import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Contenders, LOGIN, type Variant } from './contenders.ts';
import type { Ask, Client, Load } from './load.ts';
import { median, say } from './report.ts';
import type { Running } from './servers.ts';

export type Turns = {
  readonly rounds: number;
  readonly seconds: number;
  /** only rows whose name holds this */
  readonly only: string;
};

/** A row of the table. Rates are requests a second; ratios are medians over the rounds, each against its own round. */
export type Throughput = {
  readonly name: string;
  readonly bare: number;
  readonly ours: number;
  readonly traced: number;
  readonly ratio: number;
  readonly tracedRatio: number;
  /** the server's processor time for a request, microseconds */
  readonly cpuUs: { readonly bare: number; readonly ours: number; readonly traced: number };
  /** what the original did, where it was measured */
  readonly original: number | undefined;
};

const CLIENTS = 16;
/** Where ours keeps nothing: callers who miss at the same time share one computation, and the bare route's do not. */
const ALONE = 1;
const WARM_UP_SECONDS = 1.5;

type Row = {
  readonly name: string;
  readonly service: keyof Variant;
  readonly ours: readonly Ask[];
  readonly bare: readonly Ask[];
  readonly clients?: number;
  readonly original?: number;
};

function rowsOf({ ids, keys }: Contenders): readonly Row[] {
  const api = (path: string): Ask[] => [{ path, headers: keys.api }];
  const byId = ids.map(id => ({ path: `/api/v1/resources/${id}` }));
  const list = [{ path: '/api/v1/resources/?limit=20' }];
  return [
    { name: 'list of 20', service: 'devshelf', ours: list, bare: list, original: 558 },
    { name: 'get by id', service: 'devshelf', ours: byId, bare: byId },
    {
      name: '`/api/summary`, cached',
      service: 'dashboard',
      ours: api('/api/summary'),
      bare: api('/cached/api/summary'),
      original: 750,
    },
    {
      name: '`/api/summary`, uncached',
      service: 'uncached',
      clients: ALONE,
      ours: api('/api/summary'),
      bare: api('/api/summary'),
    },
    {
      name: '`/api/providers`, cached',
      service: 'dashboard',
      ours: api('/api/providers'),
      bare: api('/cached/api/providers'),
      original: 450,
    },
    {
      name: '`/api/providers`, uncached',
      service: 'uncached',
      clients: ALONE,
      ours: api('/api/providers'),
      bare: api('/api/providers'),
    },
    { name: '`/`', service: 'dashboard', ours: [{ path: '/' }], bare: [{ path: '/' }], original: 525 },
  ];
}

type Turn = { readonly perSecond: number; readonly cpuUs: number };

export async function measureThroughput(contenders: Contenders, client: Client, turns: Turns): Promise<Throughput[]> {
  const results: Throughput[] = [];
  for (const row of rowsOf(contenders).filter(({ name }) => name.includes(turns.only))) {
    const takers: readonly [Running, readonly Ask[]][] = [
      [contenders.bare, row.bare],
      [contenders.ours[row.service], row.ours],
      [contenders.traced[row.service], row.ours],
    ];
    const load = { clients: row.clients ?? CLIENTS, seconds: turns.seconds };
    for (const [server, requests] of takers) {
      await turn(client, server, { clients: CLIENTS, requests, seconds: WARM_UP_SECONDS });
    }
    const rounds: [Turn, Turn, Turn][] = [];
    for (let round = 0; round < turns.rounds; round += 1) rounds.push(await roundOf(client, takers, load, round));
    const result = throughputOf(row, rounds);
    say(
      `${result.name}: bare ${result.bare.toFixed(0)}, ours ${result.ours.toFixed(0)}, ratio ${result.ratio.toFixed(2)}, traced ${result.tracedRatio.toFixed(2)}`,
    );
    results.push(result);
  }
  return results;
}

/** Everybody once; who begins changes with the round. */
async function roundOf(
  client: Client,
  takers: readonly [Running, readonly Ask[]][],
  load: Pick<Load, 'clients' | 'seconds'>,
  round: number,
): Promise<[Turn, Turn, Turn]> {
  const done = new Map<number, Turn>();
  for (let step = 0; step < takers.length; step += 1) {
    const index = (round + step) % takers.length;
    const taker = takers[index];
    if (taker) done.set(index, await turn(client, taker[0], { ...load, requests: taker[1] }));
  }
  const at = (index: number) => done.get(index) ?? { perSecond: Number.NaN, cpuUs: Number.NaN };
  return [at(0), at(1), at(2)];
}

async function turn(client: Client, server: Running, load: Omit<Load, 'url'>): Promise<Turn> {
  const before = server.cpuSeconds();
  const outcome = await client.run({ ...load, url: server.url });
  const wrong = outcome.clientErrors + outcome.serverErrors + outcome.broken;
  if (wrong > 0) throw new Error(`${load.requests[0]?.path} of ${server.url}: ${JSON.stringify(outcome)}`);
  return { perSecond: outcome.perSecond, cpuUs: ((server.cpuSeconds() - before) / outcome.requests) * 1e6 };
}

function throughputOf({ name, original }: Row, rounds: readonly [Turn, Turn, Turn][]): Throughput {
  const of = (contender: 0 | 1 | 2, figure: keyof Turn) => median(rounds.map(round => round[contender][figure]));
  const ratio = (contender: 1 | 2) => median(rounds.map(round => round[contender].perSecond / round[0].perSecond));
  return {
    name,
    bare: of(0, 'perSecond'),
    ours: of(1, 'perSecond'),
    traced: of(2, 'perSecond'),
    ratio: ratio(1),
    tracedRatio: ratio(2),
    cpuUs: { bare: of(0, 'cpuUs'), ours: of(1, 'cpuUs'), traced: of(2, 'cpuUs') },
    original,
  };
}

/** Logins a second beside argon2id alone. */
export type Tokens = {
  readonly bare: number;
  readonly ours: number;
  readonly ratio: number;
  readonly original: number;
};

const LOGIN_CLIENTS = 8;

export async function measureTokens({ ours }: Contenders, client: Client, { rounds, seconds }: Turns): Promise<Tokens> {
  const requests = [
    {
      method: 'POST',
      path: '/api/v1/auth/token',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(LOGIN),
    },
  ];
  const pairs: { bare: number; ours: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const bare = argon2PerSecond(seconds);
    const outcome = await client.run({
      url: ours.devshelf.url,
      clients: LOGIN_CLIENTS,
      seconds: seconds + 0.5,
      requests,
    });
    if (outcome.clientErrors + outcome.serverErrors > 0) throw new Error(`/token: ${JSON.stringify(outcome)}`);
    pairs.push({ bare, ours: outcome.perSecond });
  }
  const result = {
    bare: median(pairs.map(({ bare }) => bare)),
    ours: median(pairs.map(pair => pair.ours)),
    ratio: median(pairs.map(pair => pair.ours / pair.bare)),
    original: 81,
  };
  say(
    `/token: argon2id alone ${result.bare.toFixed(0)}, ours ${result.ours.toFixed(0)}, ratio ${result.ratio.toFixed(2)}`,
  );
  return result;
}

function argon2PerSecond(seconds: number): number {
  const file = join(import.meta.dirname, 'argon2.ts');
  return Number(execFileSync(process.execPath, [file, String(seconds)], { encoding: 'utf8' }));
}
