// `make demo`: the whole main job on a real cluster, told as it happens, ending with figures.
//   node test-e2e/demo.ts [--runs 3] [--namespace demo]
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { forwardToLoopback, kubectl, up } from './cluster/cluster.ts';
import { sleep } from './cluster/run.ts';
import { disconnect, get } from './scenarios/kube.ts';
import { clearNamespace } from './scenarios/namespace.ts';
import {
  countWrites,
  installOperator,
  operatorRssMiB,
  operatorStartMs,
  restartOperator,
} from './scenarios/operator.ts';
import { prepareReleases } from './scenarios/releases.ts';
import { environment, missed, type Report, tableOf, writeReport } from './scenarios/report.ts';
import * as story from './scenarios/story.ts';
import { between, isHarmed } from './scenarios/traffic.ts';

const MAX_RUNS = 20;
const OUTAGE_SECONDS = 12;
const SETTLED_SECONDS = 60;

const started = performance.now();

function tell(line: string): void {
  const seconds = (performance.now() - started) / 1000;
  const clock = `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
  process.stdout.write(`[${clock.padStart(7)}] ${line}\n`);
}

const chapter = (title: string): boolean => process.stdout.write(`\n${title}\n`);

function parseOptions() {
  const { values } = parseArgs({
    options: { runs: { type: 'string', default: '3' }, namespace: { type: 'string', default: 'demo' } },
  });
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1 || runs > MAX_RUNS) throw new Error(`RUNS is a number from 1 to ${MAX_RUNS}`);
  return { runs, namespace: values.namespace };
}

/** Runs the story once and returns what was measured. */
async function tellStory({ runs, namespace }: { runs: number; namespace: string }): Promise<Report> {
  const loadAtStart = loadavg()[0] ?? 0;
  chapter('A cluster, the images, the operator');
  await up();
  const [releases] = await Promise.all([prepareReleases(runs), clearNamespace(namespace)]);
  await installOperator();
  tell('the operator runs, from its image, with the rights of charts/install');
  const stage = await story.setTheStage(namespace, releases, tell);
  tell(`PostgreSQL and Redis answer in namespace ${namespace}`);

  chapter('$ kubectl apply: a DashboardDeployment and a DevShelfDeployment');
  const readyMs = await story.installBoth(stage);
  tell(`both are Ready ${(readyMs / 1000).toFixed(1)} s after kubectl apply: migrated first, then started`);
  const users = await story.startUsers(stage);
  const total = story.REQUESTS_PER_SECOND;
  tell(`${total} requests per second from here on, each over a connection of its own, every response recorded`);
  try {
    return await releasesAndFaults(stage, users, loadAtStart, readyMs);
  } finally {
    await story.stopUsers(users);
    stage.recording.stop();
  }
}

async function releasesAndFaults(
  stage: story.Stage,
  users: story.Users,
  loadAtStart: number,
  readyMs: number,
): Promise<Report> {
  const { releases } = stage;
  chapter('A good release with a migration');
  const goodRelease = await story.goodRelease(stage, users, releases.good);
  tell(`${goodRelease.failed} of ${goodRelease.requests} requests failed meanwhile`);

  chapter('A release that cannot start');
  const brokenStart = await story.brokenStart(stage, users);
  tell(`taken out after ${brokenStart.seconds.toFixed(1)} s; ${brokenStart.harmed} users’ requests harmed`);

  chapter('A release that answers half of its requests with 500');
  const rehearsed = await story.rehearsedBad(stage, users);
  tell(
    `${rehearsed.harmed} users’ requests harmed: its rehearsal found it, ${rehearsed.readyToVerdictSeconds} s after its pod was ready`,
  );

  chapter('One that does so only with a header that users send');
  const bad: story.BadRelease[] = [];
  for (const image of releases.unseenBad) {
    const one = await story.badRelease(stage, users, image);
    tell(
      `${one.harmed} users’ requests harmed, ${one.firstToLastErrorMs} ms from the first 5xx to the last; out of the endpoints ${one.patchToEndpointsMs} ms after the patch`,
    );
    bad.push(one);
    await sleep(2_000);
  }

  chapter('The same, while somebody else is at work');
  tell('First for comparison: scaled from 3 pods to 6 with no release on its way …');
  const alone = await story.scaledOutAlone(stage, users);
  tell(`${alone} users’ requests harmed`);
  const badWhileScaledOut = await story.badWhileScaledOut(stage, users, releases.badWhileScaledOut);
  const { harmed, harmedByIt } = badWhileScaledOut;
  const others =
    harmed > harmedByIt ? `, ${harmed - harmedByIt} more failed on stable pods while the new ones started` : '';
  tell(`${harmedByIt} users’ requests harmed by it${others}`);
  const badWhileRefused = await story.badWhileRefused(stage, users, releases.badWhileRefused);
  tell(`${badWhileRefused.harmed} users’ requests harmed`);

  chapter('A release whose every second answer takes a second');
  const slow = await story.slowRelease(stage, users);
  tell(`${slow.slowed} users waited, ${slow.firstToLastMs} ms from the first to the last of them: ${slow.reason}`);

  chapter('A release that turns bad only after its promotion');
  const lateBad = await story.lateBad(stage, users);
  tell(`its last pod left the endpoints ${lateBad.decisionToOutMs} ms after the decision; ${lateBad.harmed} harmed`);
  const undone = await story.undone(stage, users, releases.lateBad);
  tell(`${undone.harmed} users’ requests harmed by that, the rejected release ${undone.left ? 'serves' : 'is out'}`);

  chapter('The database stands still while a good release is tried');
  const outage = await story.sharedOutage(stage, users, releases.better, OUTAGE_SECONDS);
  tell(`${outage.rollbacks} rollbacks; users were served ${outage.lastErrorAfterMs} ms after PostgreSQL went on`);

  chapter('A good release on a machine at load 20');
  const overload = await story.underLoad(stage, users, releases.best, 20);
  tell(
    `${overload.rollbacks} rollbacks; the operator was away for ${overload.away.operatorMs} ms at most, a bare client beside it ${overload.away.clientMs} ms`,
  );

  chapter('Nothing happens: what does the operator write?');
  const settled = await countWrites(SETTLED_SECONDS);
  const rssMiB = await operatorRssMiB();
  tell(`${settled.writes} writes in ${SETTLED_SECONDS} s (and ${settled.leaseRenewals} renewals of its lease)`);
  const restartedAt = Date.now();
  await restartOperator();
  const startMs = await operatorStartMs();
  const restarted = await countWrites(SETTLED_SECONDS, restartedAt);
  tell(`restarted: ${restarted.writes} writes in ${SETTLED_SECONDS} s, first pass ${startMs} ms after its start`);

  const last = between(users.dashboard.answers(), restartedAt, Date.now() - 5_000);
  return {
    rehearsed: { harmed: rehearsed.harmed, readyToVerdictSeconds: rehearsed.readyToVerdictSeconds },
    badRelease: {
      firstToLastErrorMs: bad.map(one => one.firstToLastErrorMs),
      harmed: bad.map(one => one.harmed),
      patchToEndpointsMs: bad.map(one => one.patchToEndpointsMs),
    },
    badWhileScaledOut: { harmed, byIt: harmedByIt, alone },
    badWhileRefused: { harmed: badWhileRefused.harmed },
    slow: { slowed: slow.slowed, failed: slow.failed },
    undone: { harmed: undone.harmed },
    lateBad: { decisionToOutMs: lateBad.decisionToOutMs, harmed: lateBad.harmed },
    brokenStart: { harmed: brokenStart.harmed },
    goodRelease: { requests: goodRelease.requests, failed: goodRelease.failed },
    outage: { rollbacks: outage.rollbacks },
    overload: { rollbacks: overload.rollbacks, away: overload.away },
    settled: {
      writesPerMinute: (settled.writes * 60) / SETTLED_SECONDS,
      writesPerMinuteAfterRestart: (restarted.writes * 60) / SETTLED_SECONDS,
    },
    operator: { startMs, rssMiB },
    environment: await environment(loadAtStart),
    details: {
      bothReadyMs: Math.round(readyMs),
      requestsPerSecond: story.REQUESTS_PER_SECOND,
      rehearsed,
      badReleases: bad,
      badWhileScaledOut,
      badWhileRefused,
      slow,
      undone,
      lateBad,
      brokenStart,
      goodRelease,
      outage,
      overload,
      written: [...settled.what, ...restarted.what],
      leaseRenewalsPerMinute: (settled.leaseRenewals * 60) / SETTLED_SECONDS,
      operatorRssMiBAfterRestart: await operatorRssMiB(),
      settledRequests: { requests: last.length, failed: last.filter(isHarmed).length },
    },
  };
}

/** Every release of the dashboard in the order of their coming, with its image and verdict. */
const releases = (namespace: string): string[] => [
  ...[
    'kubectl',
    '-n',
    namespace,
    'get',
    'controllerrevisions',
    '-l',
    'app.kubernetes.io/instance=dashboard,devshelf.dev/record!=incident',
  ],
  ...['--sort-by=.revision', '-o'],
  'custom-columns=IMAGE:.data.release.image,VERDICT:.metadata.annotations.devshelf\\.dev/verdict',
];

async function verdicts(namespace: string): Promise<string> {
  const [, ...args] = releases(namespace);
  return kubectl(args);
}

async function whatToTry(namespace: string): Promise<string> {
  const { spec } = await get(`/api/v1/namespaces/${namespace}/services/dashboard`);
  const port = await forwardToLoopback(`${spec.clusterIP}:80`);
  return `The cluster stays up. To look around:
  the dashboard      http://127.0.0.1:${port}/
  its resources      bin/cluster kubectl -n ${namespace} get dbd,dsd -o wide
  what happened      bin/cluster kubectl -n ${namespace} describe dbd dashboard
  its releases       bin/cluster ${releases(namespace)
    .join(' ')
    .replace(/(custom-columns=)(\S+)/, "'$1$2'")}
  all fields         bin/cluster kubectl explain dbd.spec.rollout
  take it down       make cluster-down`;
}

try {
  const options = parseOptions();
  const report = await tellStory(options);
  const file = writeReport(report);
  process.stdout.write(`\n${tableOf(report)}\n\n${file} has all figures.\n`);
  process.stdout.write(`Its releases and what became of them:\n${await verdicts(options.namespace)}\n`);
  process.stdout.write(`${await whatToTry(options.namespace)}\n`);
  const broken = missed(report);
  if (broken.length > 0) process.stdout.write(`\nMISSED: ${broken.join('; ')}\n`);
  process.exitCode = broken.length > 0 ? 1 : 0;
} catch (error) {
  process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
  process.stderr.write(`The demo stopped here. What the operator says: bin/cluster kubectl \\
  -n devshelf-system logs deploy/devshelf-operator --tail=50
To start over with a new cluster: make cluster-down demo\n`);
  process.exitCode = 1;
} finally {
  disconnect();
}
