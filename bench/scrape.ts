/**
 * What reading the operator's metrics costs it: how long the longest turn of its event loop is, processor and memory. Its
 * real `/metrics` in a process of its own, started as in the image, of as many resources as are told of, each with all that
 * there may be to tell; read as fast as it comes. Writes build/speed/scrape.json and its table in docs/speed.md. Ends with
 * 1 if a goal was missed.
 *
 *   bin/node bench/scrape.ts [--resources 10000] [--scrapes 10]
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Ask, Told } from './scale/scraped.ts';
import { type ScrapeResult, scrapeMisses, scrapeTables } from './scale/tables.ts';
import { machine, median, say, writeResult } from './speed/report.ts';
import { imageEnvironment } from './speed/servers.ts';

const HELP = `usage: bin/node bench/scrape.ts [--resources 10000] [--scrapes 10]

  --scrapes   of each kind: those of which turns are measured, and those of which processor and memory are
`;
const { values } = parseArgs({
  options: {
    resources: { type: 'string', default: '10000' },
    scrapes: { type: 'string', default: '10' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}
const [resources, scrapes] = [Number(values.resources), Number(values.scrapes)];
/** Between two of them, as others have it between two scrapes. */
const PAUSE_MS = 500;

const child = fork(join(import.meta.dirname, 'scale/scraped.ts'), {
  env: { PATH: process.env['PATH'], ...imageEnvironment('Dockerfile.operator') },
});
child.once('exit', code => process.exit(code ?? 1));

async function ask(what: Ask): Promise<Told> {
  child.send(what);
  const [told] = (await once(child, 'message')) as [Told];
  return told;
}

interface Scrape {
  readonly bytes: number;
  readonly lines: number;
  readonly ms: number;
}

async function scrape({ port }: Told): Promise<Scrape> {
  const beganAt = performance.now();
  const text = Buffer.from(await (await fetch(`http://127.0.0.1:${port}/metrics`)).arrayBuffer());
  const ms = performance.now() - beganAt;
  const lines = text.toString().match(/^devshelf_(?:resource|operator_decision_timestamp)/gm)?.length ?? 0;
  return { bytes: text.length, lines, ms };
}

async function scraped(begin: 'turns' | 'cost'): Promise<{ told: Told; scrape: Scrape }[]> {
  const found: { told: Told; scrape: Scrape }[] = [];
  for (let turn = 0; turn < scrapes; turn += 1) {
    const began = await ask({ begin });
    const read = await scrape(began);
    found.push({ told: await ask('end'), scrape: read });
    await sleep(PAUSE_MS);
  }
  return found;
}

/** What the machine and the measuring are by themselves. */
async function unscraped(): Promise<Told> {
  await ask({ begin: 'turns' });
  await sleep(PAUSE_MS);
  return ask('end');
}

// what runs for the first time stays
await ask({ fill: 1 });
await scrape(await ask('collect'));
const empty = await ask('collect');
await ask({ fill: resources });
const full = await ask('collect');
say(`${resources} resources take ${(full.heapMib - empty.heapMib).toFixed(1)} MiB`);
const still = await unscraped();
const turns = await scraped('turns');
const costs = await scraped('cost');
const [first] = costs;
const result: ScrapeResult = {
  machine: machine(),
  load: loadavg()[0] ?? Number.NaN,
  ...{ resources, scrapes, lines: first?.scrape.lines ?? 0, mib: (first?.scrape.bytes ?? 0) / 2 ** 20 },
  turnsMs: turns.map(({ told }) => told.longestTurnMs),
  turnsCpuMs: turns.map(({ told }) => told.longestTurnCpuMs),
  still: { turnMs: still.longestTurnMs, turnCpuMs: still.longestTurnCpuMs },
  cpuMs: median(costs.map(({ told }) => told.cpuMs)),
  scrapeMs: median(costs.map(({ scrape: { ms } }) => ms)),
  heapMib: full.heapMib - empty.heapMib,
  scrapeRssMib: Math.max(...costs.map(({ told }) => told.peakRssMib)) - full.rssMib,
};
for (const { table } of scrapeTables(result)) console.log(`\n${table}`);
await writeResult('scrape', result, scrapeTables(result));
for (const miss of scrapeMisses(result)) console.error(`MISSED  ${miss}`);
child.removeAllListeners('exit');
child.kill();
process.exitCode = scrapeMisses(result).length > 0 ? 1 : 0;
