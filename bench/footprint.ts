/**
 * What a pod of each service costs before anybody uses it: time from the start to listening, resident memory while only
 * probes and scrapes come, and what its image adds to Node's. As in the image: bundled, NODE_ENV=production, OpenTelemetry
 * and Sentry off. Writes build/speed/footprint.json and its table in docs/speed.md. Ends with 1 if a target was missed.
 *
 *   bin/node bench/footprint.ts [--starts 7] [--idle 15]
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../services/common/testing/processes.ts';
import { environments } from './speed/contenders.ts';
import { startData } from './speed/data.ts';
import { type Footprint, footprintMisses, footprintTables } from './speed/footprint-tables.ts';
import { machine, median, say, writeResult } from './speed/report.ts';
import { type Image, imageOf, type Program, start } from './speed/servers.ts';

const HELP = `usage: bin/node bench/footprint.ts [--starts 7] [--idle 15]

  --starts   how often each process is started; medians count
  --idle     seconds of probes and scrapes before its memory is read
`;

const { values } = parseArgs({
  options: {
    starts: { type: 'string', default: '7' },
    idle: { type: 'string', default: '15' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}
const [starts, idleSeconds] = [Number(values.starts), Number(values.idle)];

const sizeMb = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(path => lstatSync(join(folder, path)))
    .reduce((sum, entry) => sum + (entry.isFile() ? entry.size : 0), 0) / 1e6;

async function footprintOf(name: string, image: Image, program: Program): Promise<Footprint> {
  const times: { startMs: number; cpuMs: number }[] = [];
  for (let count = 0; count < starts; count += 1) {
    const process = await start(program);
    times.push({ startMs: process.startMs, cpuMs: process.startCpuMs });
    await process.stop();
  }
  const result = {
    name,
    startMs: median(times.map(({ startMs }) => startMs)),
    startCpuMs: median(times.map(({ cpuMs }) => cpuMs)),
    idleRssMib: await idleRss(program),
    imageMb: sizeMb(image.folder),
  };
  say(`${name}: ${JSON.stringify(result)}`);
  return result;
}

/** The kubelet's probes and the operator's scrape, once a second each. */
async function idleRss(program: Program): Promise<number> {
  const process = await start(program);
  const token = program.environment['SCRAPE_TOKEN'] ?? '';
  try {
    for (let second = 0; second < idleSeconds; second += 1) {
      for (const path of ['/live', '/ready']) await answered(`${process.url}${path}`, {});
      await answered(`${process.url}/metrics`, { authorization: `Bearer ${token}`, 'x-scrape-token': token });
      await sleep(1_000);
    }
    return process.rssMib();
  } finally {
    await process.stop();
  }
}

async function answered(url: string, headers: Record<string, string>): Promise<void> {
  const response = await fetch(url, { headers });
  await response.arrayBuffer();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}

const folder = temporaryFolder('devshelf-footprint-');
const data = await startData({ resources: 1_000, movements: 5_000 });
try {
  const settings = environments(data);
  const devshelf = await imageOf('devshelf', folder.path);
  const dashboard = await imageOf('dashboard', folder.path);
  const footprints = [
    await footprintOf('DevShelf', devshelf, devshelf.program('server', settings.devshelf)),
    await footprintOf('DevShelf worker', devshelf, devshelf.program('worker', settings.worker)),
    await footprintOf('Dashboard', dashboard, dashboard.program('server', settings.dashboard)),
  ];
  const result = { machine: machine(), starts, idleSeconds, footprints };
  for (const { table } of footprintTables(result)) console.log(`\n${table}`);
  await writeResult('footprint', result, footprintTables(result));
  const missed = footprintMisses(result);
  for (const miss of missed) console.error(`MISSED  ${miss}`);
  process.exitCode = missed.length > 0 ? 1 : 0;
} finally {
  await data.remove();
  folder.remove();
}
