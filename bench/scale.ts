/**
 * What the operator costs by number of resources. etcd, the API server and its controllers as they are, a kubelet that
 * only pretends, the operator bundled and started as in its image. Writes build/speed/scale-*.json and its table in
 * docs/speed.md. Ends with 1 if a goal was missed.
 */
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type LittleCluster, startLittleCluster } from '../operator/src/controller/testing/little-cluster.ts';
import { LittlePods } from '../operator/src/controller/testing/little-pods.ts';
import { temporaryFolder } from '../services/common/testing/processes.ts';
import { writeBare } from './scale/bare.ts';
import { churn } from './scale/churn.ts';
import { createOriginal, objectsOf, putCopies } from './scale/copies.ts';
import { type Counters, lists, secretReads, since, total, writes } from './scale/counters.ts';
import { bundled, type Operator, type Standby, startOperator, startStandby } from './scale/operator.ts';
import { passesAtRest } from './scale/passes.ts';
import { releasesAtOnce, TellingPods } from './scale/releases.ts';
import {
  createNamespaces,
  createResources,
  madeFor,
  NAMESPACES,
  placeOf,
  readyResources,
  writesLike,
} from './scale/resources.ts';
import { smallInstallation } from './scale/small.ts';
import { heapOfStores } from './scale/stores.ts';
import {
  type ConvergeResult,
  churnMisses,
  churnTables,
  convergeMisses,
  convergeTables,
  type PassesResult,
  passesMisses,
  passesTables,
  releasesMisses,
  releasesTables,
  type SettledResult,
  type StoresResult,
  settledMisses,
  settledTables,
  smallMisses,
  smallTables,
  storesMisses,
  storesTables,
} from './scale/tables.ts';
import { machine, say, type Table, writeResult } from './speed/report.ts';

const HELP = `usage: bin/node bench/scale.ts SCENE [NUMBER...] [--rest 60] [--first]

  converge N      N new resources (default 200), then a bare writer of the same objects on as many others
  settled N...    a restart over N settled resources, a time of rest, and a second process that takes over, for each N
                  (default 2 200): the operator settles one, the others are copies of it in etcd; controllers and kubelet
                  are ended then
  churn N TIMES   N resources made and deleted (default 100), TIMES times (default 4)
  releases N BAD  N releases at once (default 200), BAD of which are bad (default 2)
  passes N        what a pass over each of N settled resources takes of the processor (default 200)
  small           two resources, at rest and after four releases of each
  stores N        what the stores keep of each of N settled resources (default 200)

  --rest SECONDS  how long the rest is
  --first         of releases: the operator goes before everything else that wants the processor, as on a node that is
                  not the API server's (needs root)
`;
const load = (): number => loadavg()[0] ?? Number.NaN;

const QUIET_MS = 3_000;
const POLL_MS = 200;
/** To be asked costs the operator some ten milliseconds, and with ten thousand resources 30 MB of metrics. */
const pollMs = (resources: number): number => Math.max(POLL_MS, Math.min(5 * resources, 1_000), resources / 2);
const SAY_MS = 30_000;
/** And so much more for each resource. */
const LIMIT_MS = 300_000;
const LIMIT_EACH_MS = 500;

/** Until nothing was written for three seconds and nothing waits. `lastMs`: when the last write was seen. */
async function quiet(operator: Operator, resources: number): Promise<Counters & { lastMs: number }> {
  const limitMs = LIMIT_MS + resources * LIMIT_EACH_MS;
  const begunMs = performance.now();
  let [lastMs, known, saidMs] = [begunMs, -1, begunMs];
  for (;;) {
    const seen = await operator.counters();
    const now = performance.now();
    const written = writes(seen.requests);
    if (written !== known) [lastMs, known] = [now, written];
    if (now - lastMs > QUIET_MS && seen.queued === 0 && seen.passes >= resources) return { ...seen, lastMs };
    if (now - saidMs > SAY_MS) {
      saidMs = now;
      const memory = `RSS ${Math.round(operator.rssMib())} MiB, at most ${Math.round(operator.peakRssMib())}`;
      say(
        `${Math.round((now - begunMs) / 1_000)} s: ${seen.passes} passes, ${seen.queued} wait, ${written} writes, ${memory}`,
      );
    }
    if (now - begunMs > limitMs) throw new Error(`not settled after ${limitMs / 1_000} s: ${written} writes so far`);
    await sleep(pollMs(resources));
  }
}

async function allReady({ transport }: LittleCluster, count: number): Promise<void> {
  const ready = await readyResources(transport);
  if (ready !== count) throw new Error(`${ready} of ${count} resources are ready`);
}

async function converge(cluster: LittleCluster, program: string, resources: number): Promise<ConvergeResult> {
  const { api, transport } = cluster;
  await createNamespaces(transport);
  await createResources(transport, 'app', resources);
  say(`${resources} resources are there; the operator starts`);
  const operator = await startOperator(api, program);
  const begunMs = performance.now();
  const seen = await quiet(operator, resources);
  const peakRssMib = operator.peakRssMib();
  await operator.stop();
  await allReady(cluster, resources);
  const operatorPerSecond = (1_000 * resources) / (seen.lastMs - begunMs);
  say(`the operator: ${operatorPerSecond.toFixed(1)} resources/s; now the bare writer`);
  await createResources(transport, 'bare', resources);
  const templates = await madeFor(transport, 'app');
  const order = await writesLike(transport, templates, 'app', 'bare');
  const bare = await writeBare({ kubeconfig: api.adminKubeconfigPath, resources: order });
  const barePerSecond = (1_000 * resources) / bare.ms;
  say(`the bare writer: ${barePerSecond.toFixed(1)} resources/s`);
  return {
    machine: machine(),
    load: load(),
    resources,
    operatorPerSecond,
    barePerSecond,
    requests: total(seen.requests),
    writes: writes(seen.requests),
    bareWrites: bare.writes,
    passes: seen.passes,
    cpuSeconds: seen.cpuSeconds,
    peakRssMib,
    byRequest: seen.requests,
  };
}

type Settled = SettledResult['sizes'][number];

async function settled(
  cluster: LittleCluster,
  program: string,
  resources: number,
  restSeconds: number,
): Promise<Settled> {
  const { api } = cluster;
  await settledCopies(cluster, program, resources);
  say(`there are ${resources} settled resources; the operator starts again`);
  const operator = await startOperator(api, program);
  const start = await quiet(operator, resources);
  say(`ready after ${Math.round(operator.readyMs)} ms; ${restSeconds} s of rest`);
  const before = (await operator.counters()).requests;
  await sleep(restSeconds * 1_000);
  const after = await operator.counters();
  const rest = since(before, after.requests);
  say(`at rest: ${JSON.stringify(rest)}`);
  const [rssMib, peakRssMib] = [operator.rssMib(), operator.peakRssMib()];
  const takeoverMs = await takeover(api, program, operator);
  return {
    resources,
    readyMs: operator.readyMs,
    takeoverMs,
    secretReads: secretReads(start.requests),
    restartWrites: writes(start.requests),
    requestsAMinute: (60 * total(rest)) / restSeconds,
    restWrites: writes(rest),
    rssMib,
    peakRssMib,
    heapUsedMib: after.heapUsedMib,
  };
}

/** So many resources that rest; nobody looks after them, and there are no controllers and no kubelet any more. */
async function settledCopies(cluster: LittleCluster, program: string, resources: number): Promise<void> {
  const { api, transport } = cluster;
  await createNamespaces(transport);
  await createOriginal(transport);
  const first = await startOperator(api, program);
  await quiet(first, 1);
  await first.stop();
  await allReady(cluster, 1);
  await cluster.stopControllers();
  say('one resource has settled; its copies are put beside it');
  await putCopies(api.etcdUrl, await objectsOf(transport), resources - 1, index => placeOf('app', index));
  await allReady(cluster, resources);
  // takes the namespaces of the copies in charge
  const second = await startOperator(api, program);
  await quiet(second, resources);
  await second.stop();
}

/** From the leader's SIGTERM until another process, which knew all resources already, acts on them. */
async function takeover(api: LittleCluster['api'], program: string, leader: Operator): Promise<number> {
  const standby = await startStandby(api, program);
  await knowsAll(standby);
  const fromMs = performance.now();
  await leader.stop();
  const takeoverMs = (await standby.leadsAt) - fromMs;
  say(`a second process took over after ${Math.round(takeoverMs)} ms`);
  await standby.stop();
  return takeoverMs;
}

/** It lists nothing any more: for so long no page is under way. */
const LISTED_MS = 5_000;

async function knowsAll(standby: Standby): Promise<void> {
  let [known, sinceMs] = [0, performance.now()];
  while (known === 0 || performance.now() - sinceMs < LISTED_MS) {
    await sleep(POLL_MS);
    const asked = await standby.counters().then(
      ({ requests }) => lists(requests),
      () => 0, // it does not listen yet
    );
    if (asked !== known) [known, sinceMs] = [asked, performance.now()];
  }
}

async function passes(cluster: LittleCluster, program: string, resources: number): Promise<PassesResult> {
  await settledCopies(cluster, program, resources);
  const passMs = await passesAtRest(cluster, resources);
  return { machine: machine(), load: load(), resources, passMs };
}

async function stores(cluster: LittleCluster, program: string, resources: number): Promise<StoresResult> {
  const { api, transport } = cluster;
  await createNamespaces(transport);
  const emptyBytes = await heapOfStores(transport, false);
  await createResources(transport, 'app', resources);
  const operator = await startOperator(api, program);
  await quiet(operator, resources);
  await operator.stop();
  await allReady(cluster, resources);
  say(`${resources} resources have settled; stores are filled with them`);
  const plainBytes = (await heapOfStores(transport, false)) - emptyBytes;
  const packedBytes = (await heapOfStores(transport, true)) - emptyBytes;
  return { machine: machine(), load: load(), resources, plainBytes, packedBytes };
}

async function onCluster<Result>(
  measure: (cluster: LittleCluster) => Promise<Result>,
  pods?: LittlePods,
): Promise<Result> {
  const cluster = await startLittleCluster({ startMs: 0, goMs: 0 }, pods);
  try {
    return await measure(cluster);
  } finally {
    await cluster.stop();
  }
}

async function report(
  name: string,
  result: object,
  tables: readonly Table[],
  missed: readonly string[],
): Promise<void> {
  for (const { table } of tables) console.log(`\n${table}`);
  await writeResult(name, result, tables);
  for (const miss of missed) console.error(`MISSED  ${miss}`);
  process.exitCode = missed.length > 0 ? 1 : 0;
}

type Options = { readonly restSeconds: number; readonly isFirst: boolean };

type Scene = (program: string, sizes: readonly number[], options: Options) => Promise<void>;

const SCENES: Readonly<Record<string, Scene>> = {
  converge: async (program, [size = 200]) => {
    const result = await onCluster(cluster => converge(cluster, program, size));
    await report('scale-converge', result, convergeTables(result), convergeMisses(result));
  },
  churn: async (program, [size = 100, rounds = 4]) => {
    const found = await onCluster(cluster => churn(cluster, program, [size, rounds], say));
    const result = { machine: machine(), load: load(), ...found };
    await report('scale-churn', result, churnTables(result), churnMisses(result));
  },
  releases: async (program, [size = 200, bad = 2], { isFirst }) => {
    if (bad >= size || bad > NAMESPACES)
      refuse(`of ${size} releases fewer, and at most ${NAMESPACES}, can be bad, and not ${bad}`);
    const pods = new TellingPods();
    const found = await onCluster(
      cluster => releasesAtOnce(cluster, pods, program, { resources: size, bad, isFirst }, say),
      pods,
    );
    await pods.stopAll();
    const result = { machine: machine(), load: load(), ...found };
    await report('scale-releases', result, releasesTables(result), releasesMisses(result));
  },
  settled: async (program, sizes, { restSeconds }) => {
    const found: Settled[] = [];
    for (const size of sizes.length > 0 ? sizes : [2, 200]) {
      found.push(await onCluster(cluster => settled(cluster, program, size, restSeconds)));
    }
    const result = { machine: machine(), load: load(), restSeconds, sizes: found };
    await report('scale-settled', result, settledTables(result), settledMisses(result));
  },
  small: async program => {
    const pods = new LittlePods();
    const found = await onCluster(cluster => smallInstallation(cluster, pods, program), pods);
    await pods.stopAll();
    const result = { machine: machine(), load: load(), ...found };
    await report('scale-small', result, smallTables(result), smallMisses(result));
  },
  passes: async (program, [size = 200]) => {
    const result = await onCluster(cluster => passes(cluster, program, size));
    await report('scale-passes', result, passesTables(result), passesMisses(result));
  },
  stores: async (program, [size = 200]) => {
    const result = await onCluster(cluster => stores(cluster, program, size));
    await report('scale-stores', result, storesTables(result), storesMisses(result));
  },
};

function refuse(why: string): never {
  process.stderr.write(`${why}\n\n${HELP}`);
  process.exit(2);
}

const OPTIONS = {
  rest: { type: 'string', default: '60' },
  first: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;

function given() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}

const { values, positionals } = given();
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}
const [scene = '', ...numbers] = positionals;
const measure = SCENES[scene] ?? refuse(`no scene "${scene}": one of ${Object.keys(SCENES).join(', ')} is wanted`);
const sizes = numbers.map(Number);
const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 10_000;
if (!sizes.every(isCount)) refuse(`numbers of resources are whole, from 1 to 10000, and not ${numbers.join(' ')}`);
const restSeconds = Number(values.rest);
if (!isCount(restSeconds)) refuse(`--rest is a whole number of seconds from 1 on, and not ${values.rest}`);

// of ten thousand resources there is more than etcd takes by itself
process.env['ETCD_QUOTA_BACKEND_BYTES'] ??= `${8 * 2 ** 30}`;
const folder = temporaryFolder('devshelf-scale-');
try {
  await measure(await bundled(folder.path), sizes, { restSeconds, isFirst: values.first });
} finally {
  folder.remove();
}
// the kubelet may still be trying to reach the API server that has gone
process.exit();
