/**
 * A working day in minutes: both services and the worker under mixed traffic at a bounded rate, well below what they
 * can do. The rate rises in steps for a third of the time and then stays. Memory is read every second and must be flat
 * while the rate is; nothing may be answered with 5xx or not at all.
 *
 * Writes build/speed/load.json and its tables in docs/speed.md. Ends with 1 if a promise was broken.
 *
 *   bin/node bench/load.ts [--minutes 10] [--rate 150] [--resources 100000] [--movements 1000000]
 */
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../services/common/testing/processes.ts';
import { accessToken, environments } from './speed/contenders.ts';
import { type Data, startData } from './speed/data.ts';
import { type Client, startClient } from './speed/load.ts';
import { loadMisses, loadTables, type MemorySample, type Step } from './speed/load-tables.ts';
import { machine, say, writeResult } from './speed/report.ts';
import { imageOf, type Running, start } from './speed/servers.ts';
import { dashboardTraffic, devshelfTraffic, ownResources } from './speed/traffic.ts';

const HELP = `usage: bin/node bench/load.ts [--minutes 10] [--rate 150] [--resources 100000] [--movements 1000000]

  --minutes    in all; less than 5 says little about memory and writes nothing into docs/
  --rate       requests a second of each service once it has risen
  --resources  in DevShelf's database
  --movements  in the dashboard's
`;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '150' },
    resources: { type: 'string', default: '100000' },
    movements: { type: 'string', default: '1000000' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];

/** Shares of the rate; as many steps again as it takes to rise are spent at the top, twice. */
const RISING = [0.25, 0.5, 0.75];
const STEPS = [...RISING, 1, 1, 1, 1, 1, 1];
const CLIENTS = 16;

type Services = { readonly devshelf: Running; readonly worker: Running; readonly dashboard: Running };

async function startServices(data: Data, folder: string): Promise<Services> {
  const settings = environments(data);
  const devshelf = await imageOf('devshelf', folder);
  const dashboard = await imageOf('dashboard', folder);
  return {
    devshelf: await start(devshelf.program('server', settings.devshelf)),
    worker: await start(devshelf.program('worker', settings.worker)),
    dashboard: await start(dashboard.program('server', settings.dashboard)),
  };
}

function sampleMemory(services: Services, samples: MemorySample[]): NodeJS.Timeout {
  const begun = performance.now();
  return setInterval(() => {
    const second = Math.round((performance.now() - begun) / 1_000);
    for (const [name, process] of Object.entries(services)) {
      if (!process.ended) samples.push({ name, second, rssMib: process.rssMib() });
    }
  }, 1_000);
}

/** Both services at once, each from a client process of its own. */
async function step(
  services: Services,
  clients: readonly [Client, Client],
  share: number,
  seconds: number,
): Promise<Step[]> {
  const token = await accessToken(services.devshelf);
  const own = await ownResources(services.devshelf, token);
  const load = { clients: CLIENTS, seconds, requestsPerSecond: Math.round(rate * share) };
  const [devshelf, dashboard] = await Promise.all([
    clients[0].run({ ...load, url: services.devshelf.url, requests: devshelfTraffic(token, own) }),
    clients[1].run({ ...load, url: services.dashboard.url, requests: dashboardTraffic() }),
  ]);
  return [
    { service: 'DevShelf', rate: load.requestsPerSecond, ...devshelf },
    { service: 'Dashboard', rate: load.requestsPerSecond, ...dashboard },
  ];
}

const folder = temporaryFolder('devshelf-load-');
say('filling the databases');
const data = await startData({ resources: Number(values.resources), movements: Number(values.movements) });
const clients = [startClient(), startClient()] as const;
const services = await startServices(data, folder.path);
const samples: MemorySample[] = [];
const sampler = sampleMemory(services, samples);
try {
  const steps: Step[] = [];
  const stepSeconds = (minutes * 60) / STEPS.length;
  for (const share of STEPS) {
    const done = await step(services, clients, share, stepSeconds);
    for (const { service, rate: asked, p50Ms, p99Ms, serverErrors, broken } of done) {
      say(`${service} at ${asked}/s: p50 ${p50Ms} ms, p99 ${p99Ms} ms, ${serverErrors} of 5xx, ${broken} broken`);
    }
    steps.push(...done);
  }
  clearInterval(sampler);
  const ended = Object.entries(services).flatMap(([name, process]) => (process.ended ? [name] : []));
  const result = { machine: machine(), minutes, risingShare: RISING.length / STEPS.length, steps, samples, ended };
  for (const { table } of loadTables(result)) console.log(`\n${table}`);
  await writeResult('load', result, minutes >= 5 ? loadTables(result) : []);
  const missed = loadMisses(result);
  for (const miss of missed) console.error(`MISSED  ${miss}`);
  process.exitCode = missed.length > 0 ? 1 : 0;
} finally {
  clearInterval(sampler);
  for (const client of clients) client.stop();
  await Promise.all(Object.values(services).map(process => process.stop()));
  await data.remove();
  folder.remove();
}
