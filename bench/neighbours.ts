// What a tenant's large metrics cost another tenant's rollback: the operator as it runs, in a process of its own, a real
// API server and its controllers, pods that answer over HTTP. A victim releases what answers half of its requests with
// 500, again and again: alone, then beside five others whose pods (in another process) answer 4 MiB of metrics while they
// are on trial, then alone once more. Ends with 1 when beside them it takes more than 1.5 times as long.
// Run: node bench/neighbours.ts [rounds]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { startLittleCluster } from '../operator/src/controller/testing/little-cluster.ts';
import type { PodHost } from '../operator/src/controller/testing/little-kubelet.ts';
import { LittlePods } from '../operator/src/controller/testing/little-pods.ts';
import { image, pause, Shop, until } from '../operator/src/controller/testing/shop.ts';
import { freePorts } from '../test-e2e/cluster/ports.ts';

const BOMBS = 5;
const PODS_EACH = 3;
const METRICS_BYTES = 4 * 1024 * 1024;
const REQUESTS_PER_SECOND = 40;
const MOST = 1.5;

const PORT = 8080;
/** More than are ever there: releases and rehearsals have pods, too. */
const ADDRESSES = Array.from({ length: 120 }, (_, index) => `127.78.0.${index + 1}`);

/** In the other process: every address answers, and /metrics with whole lines of what the operator looks for. */
async function answerLoudly(): Promise<void> {
  const line = (index: number) => `http_requests_total{method="GET",route="/api/${index}",status="200"} ${index}\n`;
  const lines = Array.from({ length: 1_000 }, (_, index) => line(index)).join('');
  // made once: this process is to cost its reader as much as it can, and the machine as little
  const metrics = Buffer.from(lines.repeat(Math.ceil(METRICS_BYTES / lines.length)));
  const server = () =>
    createServer(({ url }, response) =>
      response.end(url === '/metrics' ? metrics : '{"status":"ok","dependencies":{"database":"ok"}}'),
    );
  await Promise.all(ADDRESSES.map(address => once(server().listen(PORT, address), 'listening')));
  process.send?.('listening');
}

async function startLoud(): Promise<ChildProcess> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, import.meta.filename, 'pods'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return child;
}

/** Pods of the namespaces `loud-…` are the other process's. */
class Host implements PodHost {
  readonly quiet = new LittlePods();
  readonly #loud = new Set<string>();
  #given = 0;

  async start(pod: Parameters<PodHost['start']>[0]): Promise<string> {
    if (!pod.namespace.startsWith('loud-')) return this.quiet.start(pod);
    this.#loud.add(pod.uid);
    this.#given += 1;
    return ADDRESSES[this.#given % ADDRESSES.length] ?? '';
  }

  async stop(uid: string): Promise<void> {
    if (!this.#loud.delete(uid)) await this.quiet.stop(uid);
  }
}

const ROLLOUT = { minReadySeconds: 0, bakeSeconds: 0, analysis: { minimumSeconds: 1, minimumRequests: 20 } };
const SPEC = { replicas: PODS_EACH, migrations: { policy: 'Disabled' }, rollout: ROLLOUT };

interface Round {
  readonly ms: number;
  readonly harmed: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const medianMs = (rounds: readonly Round[]): number => median(rounds.map(({ ms }) => ms));

async function measure(rounds: number): Promise<number> {
  const host = new Host();
  const loud = await startLoud();
  const cluster = await startLittleCluster({}, host);
  const [port = 0] = await freePorts(1);
  const main = join(import.meta.dirname, '../operator/src/main.ts');
  const flags = ['--watch-namespaces', '*', '--pod-access', 'direct', '--metrics-port', String(port)];
  const operator = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, main, ...flags], {
    env: { PATH: process.env['PATH'], KUBECONFIG: cluster.api.adminKubeconfigPath, LOG_LEVEL: 'error' },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const metric = async (name: string): Promise<string> => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? '';
  };
  const victim = new Shop(cluster, 'victim');
  let version = 1;

  /** From the first user who meets the release to the last one. */
  const round = async (): Promise<Round> => {
    version += 1;
    const bad = image(String(version));
    host.quiet.fails(bad, 0.5);
    const failures: number[] = [];
    const users = setInterval(() => {
      const endpoints = cluster.kubelet.endpoints(victim.namespace);
      const answer = host.quiet.serve(endpoints[Math.floor(Math.random() * endpoints.length)] ?? '');
      if (answer?.failed) failures.push(performance.now());
    }, 1000 / REQUESTS_PER_SECOND);
    await victim.release(String(version));
    await victim.settles('1', 'ReleaseRejected', 120_000);
    await pause(1_000);
    clearInterval(users);
    return { ms: (failures.at(-1) ?? 0) - (failures[0] ?? 0), harmed: failures.length };
  };
  const several = async (name: string): Promise<Round[]> => {
    const found: Round[] = [];
    const [startedAt, cpuBefore] = [performance.now(), Number(await metric('process_cpu_seconds_total'))];
    while (found.length < rounds) found.push(await round());
    const cpu = (Number(await metric('process_cpu_seconds_total')) - cpuBefore) / (performance.now() - startedAt);
    const each = found.map(({ ms, harmed }) => `${Math.round(ms)} (${harmed})`).join(', ');
    const lag = Math.round(1000 * Number(await metric('nodejs_eventloop_lag_p99_seconds')));
    const words = `median ${Math.round(medianMs(found))} ms; each, with users harmed: ${each}`;
    console.log(
      `${name.padEnd(12)} ${words}; ${(100_000 * cpu).toFixed(0)} % of a core, loop p99 ${lag} ms; load ${loadavg()[0]?.toFixed(1)}`,
    );
    return found;
  };

  try {
    await victim.open();
    await victim.create('1', SPEC);
    await victim.settles('1', 'AsExpected', 60_000);
    await round(); // what is compiled on the way
    const before = await several('alone');
    const bombs = Array.from({ length: BOMBS }, (_, index) => new Shop(cluster, `loud-${index + 1}`));
    await Promise.all(
      bombs.map(async bomb => {
        await bomb.open();
        // on trial for as long as it takes
        await bomb.create('1', { ...SPEC, rollout: { ...ROLLOUT, bakeSeconds: 3_600 } });
        await bomb.says('Baking', 'Ready', 60_000);
      }),
    );
    const readingsBefore = Number(await metric('devshelf_operator_readings_total'));
    const beside = await several(`beside ${BOMBS}`);
    const readings = Number(await metric('devshelf_operator_readings_total')) - readingsBefore;
    await Promise.all(bombs.map(bomb => bomb.delete()));
    await until(
      async () => (await Promise.all(bombs.map(bomb => bomb.list('pods')))).flat().length === 0,
      'they do not go',
      60_000,
    );
    const after = await several('alone again');
    const alone = [...before, ...after];
    const ratio = medianMs(beside) / medianMs(alone);
    const harmed = median(beside.map(one => one.harmed)) / median(alone.map(one => one.harmed));
    console.log(
      `a rollback beside ${BOMBS} x ${PODS_EACH} pods with 4 MiB of metrics: ${ratio.toFixed(2)} x as long as alone, ${harmed.toFixed(2)} x as many users harmed (at most ${MOST}); ${readings} readings meanwhile`,
    );
    return ratio <= MOST ? 0 : 1;
  } finally {
    operator.kill('SIGKILL');
    loud.kill('SIGKILL');
    await cluster.stop();
    await host.quiet.stopAll();
  }
}

if (process.argv[2] === 'pods') await answerLoudly();
else process.exitCode = await measure(Number(process.argv[2] ?? 5));
