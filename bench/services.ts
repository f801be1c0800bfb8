/**
 * How fast the services are, on data of a size that matters: throughput beside a bare Fastify route that runs the same
 * statement with the bare driver, and the latency of every route with eight clients. Ours run as in the image: bundled,
 * one process, NODE_ENV=production, with log, metrics, validation, headers and rate limit on. Contenders take turns of
 * seconds, so that whatever else the machine does hits all of them alike; ratios are medians over the turns.
 *
 * Writes build/speed/services.json and its tables in docs/speed.md. Ends with 1 if a target was missed. Under 6 minutes.
 *
 *   bin/node bench/services.ts [--rounds 5] [--seconds 1] [--only WORD] [--quick]
 */
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../services/common/testing/processes.ts';
import { startContenders } from './speed/contenders.ts';
import { startData } from './speed/data.ts';
import { measureLatencies } from './speed/latency.ts';
import { startClient } from './speed/load.ts';
import { measureRemembering } from './speed/recent-requests.ts';
import { machine, median, say, writeResult } from './speed/report.ts';
import { missesOf, servicesTables } from './speed/services-tables.ts';
import { measureThroughput, measureTokens } from './speed/throughput.ts';

const HELP = `usage: bin/node bench/services.ts [--rounds 5] [--seconds 1] [--only WORD] [--quick]

  --rounds   turns of each contender
  --seconds  length of a turn
  --only     only routes whose name holds WORD; writes nothing into docs/
  --quick    small data, two short turns; writes nothing into docs/ and misses no target
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}

const { only, quick } = values;
const turns = { rounds: quick ? 2 : Number(values.rounds), seconds: quick ? 1 : Number(values.seconds), only };
const sizes = quick ? { resources: 2_000, movements: 20_000 } : { resources: 100_000, movements: 1_000_000 };
const began = performance.now();
const folder = temporaryFolder('devshelf-bench-');

say(`filling the databases: ${sizes.resources} resources, ${sizes.movements} movements`);
const data = await startData(sizes);
const client = startClient();
const contenders = await startContenders(data, folder.path);
try {
  const throughput = await measureThroughput(contenders, client, turns);
  const tokens = await measureTokens(contenders, client, turns);
  const latencies = await measureLatencies(contenders, client, turns);
  const remembering = measureRemembering();
  say(`a request is remembered in ${remembering.knownNs} ns, a new address in ${remembering.newNs} ns`);
  const seconds = Math.round((performance.now() - began) / 1_000);
  const result = { machine: machine(), sizes, turns, seconds, throughput, tokens, latencies, remembering };
  for (const { table } of servicesTables(result)) console.log(`\n${table}`);
  await writeResult('services', result, !quick && only === '' ? servicesTables(result) : []);
  const missed = missesOf(result);
  for (const miss of missed) console.error(`MISSED  ${miss}`);
  console.log(
    `${seconds} s, ${missed.length} missed, median ratio ${median(throughput.map(({ ratio }) => ratio)).toFixed(2)}`,
  );
  process.exitCode = missed.length > 0 && !quick ? 1 : 0;
} finally {
  client.stop();
  await contenders.stop();
  await data.remove();
  folder.remove();
}
