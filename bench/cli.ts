/**
 * What a command of `kubectl devshelf` costs the machine of whoever asks, beside kubectl's for the same question: processor
 * time of the whole process, on a real API server, after a release that was taken back. Writes build/speed/cli.json and its
 * table in docs/speed.md. Ends with 1 if a target was missed.
 *
 *   bin/node bench/cli.ts [--runs 15]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { startLittleCluster } from '../operator/src/controller/testing/little-cluster.ts';
import { Scene } from '../operator/src/controller/testing/scene.ts';
import { temporaryFolder } from '../services/common/testing/processes.ts';
import { binaryPath } from '../test-e2e/cluster/binaries.ts';
import { bundleCli } from '../test-e2e/cluster/build.ts';
import { type CliResult, cliMisses, cliTables, type Question } from './speed/cli-tables.ts';
import { machine, median, say, writeResult } from './speed/report.ts';

const HELP = `usage: bin/node bench/cli.ts [--runs 15]

  --runs   how often each command is run; medians count
`;

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '15' }, help: { type: 'boolean', default: false } },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit();
}
const runs = Number(values.runs);
const NAMESPACE = 'cli';

/** Milliseconds of processor, user and system; bash counts those of a child. */
function cpuOf(command: readonly string[], env: NodeJS.ProcessEnv): number {
  const script = 'TIMEFORMAT="%U %S"; time "$@" > /dev/null 2>&1';
  const { PATH, HOME } = process.env;
  const { stderr } = spawnSync('bash', ['-c', script, 'bash', ...command], {
    env: { PATH: `${join(process.execPath, '..')}:${PATH}`, HOME, ...env },
    encoding: 'utf8',
  });
  const [user = Number.NaN, system = Number.NaN] = stderr.trim().split(' ').map(Number);
  return (user + system) * 1_000;
}

const folder = temporaryFolder('devshelf-bench-cli-');
const cluster = await startLittleCluster({ startMs: 0, goMs: 0 });
const scene = new Scene(cluster, NAMESPACE);
try {
  const program = join(folder.path, 'kubectl-devshelf');
  await bundleCli(program);
  await scene.shop.open();
  await scene.start();
  await scene.settled('1');
  await scene.takenBack('2');
  await scene.quiet();
  say('a release was taken back; it is asked about');
  const [kubectl, here] = [binaryPath('kubectl'), ['-n', NAMESPACE]];
  // YAML, as people have it
  const kubeconfig = join(folder.path, 'kubeconfig');
  writeFileSync(kubeconfig, stringify(JSON.parse(readFileSync(cluster.api.adminKubeconfigPath, 'utf8'))));
  const kept = { KUBECONFIG: kubeconfig, XDG_CACHE_HOME: join(folder.path, 'cache') };
  const ask = (name: string, ours: readonly string[], theirs: readonly string[]): Question => {
    // in turns, so that what else the machine does meets all of them
    const turns = Array.from({ length: runs + 1 }, (_, turn) => {
      const nothing = mkdtempSync(join(folder.path, 'cache-'));
      return {
        firstMs: cpuOf([program, ...ours, ...here], { KUBECONFIG: kubeconfig, XDG_CACHE_HOME: nothing }),
        oursMs: cpuOf([program, ...ours, ...here], kept),
        theirsMs: cpuOf([kubectl, ...theirs, ...here], kept),
        turn,
      };
    }).filter(({ turn }) => turn > 0);
    const of = (which: 'firstMs' | 'oursMs' | 'theirsMs'): number => median(turns.map(times => times[which]));
    return { name, theirs: theirs.join(' '), firstMs: of('firstMs'), oursMs: of('oursMs'), theirsMs: of('theirsMs') };
  };
  const all = 'dbd,pods,controllerrevisions,jobs';
  const result: CliResult = {
    machine: machine(),
    runs,
    questions: [
      ask('status shop', ['status', 'shop'], ['get', all, '-o', 'wide']),
      ask('why shop', ['why', 'shop'], ['describe', 'dbd', 'shop']),
      ask('history shop', ['history', 'shop'], ['get', 'controllerrevisions', '-o', 'yaml']),
      ask('version', ['version'], ['version']),
    ],
  };
  const [tables, missed] = [cliTables(result), cliMisses(result)];
  for (const { table } of tables) console.log(`\n${table}`);
  await writeResult('cli', result, tables);
  for (const miss of missed) console.error(`MISSED  ${miss}`);
  process.exitCode = missed.length > 0 ? 1 : 0;
} finally {
  await scene.stop();
  await cluster.stop();
  folder.remove();
}
