// Half an hour of what happens to services, at random, on the real cluster, while users ask all the time: releases good
// and bad, other people's hands, keys that are rotated, rest. Nobody is harmed but by a release that is found bad only
// with them; nothing is written at rest; the operator stays the same process, and as large as it was.
//   SOAK_MINUTES=30 SEED=7
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { kubectl, up } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { disconnect, get, type KubeObject, list, patch, remove } from './kube.ts';
import type { Answer } from './load.ts';
import { clearNamespace, sql } from './namespace.ts';
import { countWrites, installOperator, operatorPid, operatorRssMiB } from './operator.ts';
import { prepareReleases } from './releases.ts';
import { median } from './report.ts';
import * as story from './story.ts';
import { between, isFailed, isHarmed } from './traffic.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
/** The load generators end after an hour. */
const MINUTES = Math.min(45, Number(process.env['SOAK_MINUTES'] ?? 30));
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const NAMESPACE = 'e2e-soak';
const APP = story.dashboardPath(NAMESPACE);
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const SAMPLE_MS = 5_000;
/** Short, so that much happens; long enough that what is found is found while it matters. */
const ROLLOUT = {
  minReadySeconds: 1,
  bakeSeconds: 12,
  analysis: { minimumSeconds: 5, minimumRequests: 20 },
};
/** Longer than any stage takes here; a step that takes longer is said to hang. */
const PATIENCE_S = 300;
/** What a bad release that only users find may answer wrongly: the demo's 12, with room for a busy machine. */
const MOST_HARMED = 40;
/** The last third of the time beside the second. */
const FLAT_RATIO = 1.05;
/** What users of the old key ask on after the new one was given, as clients do that look at their Secret now and then. */
const OVERLAP_SECONDS = 60;

type Kind = keyof typeof STEPS;
type Told = { readonly failed: readonly Answer[]; readonly byBad: readonly Answer[] };

let stage: story.Stage;
let users: story.Users;
/** What users were answered whose key is another one by now. */
const earlier: Answer[] = [];
const violations: string[] = [];
const sizes: { readonly at: number; readonly mib: number }[] = [];
let round = 0;

const violated = (words: string): void => {
  violations.push(words);
  process.stdout.write(`VIOLATION ${words}\n`);
};

/** A release that is new each time, whatever its image. */
async function released(image: string, more: object = {}): Promise<number> {
  round += 1;
  const extraEnv = [...story.UNDER_LOAD, { name: 'ROUND', value: String(round) }];
  const { metadata } = await patch(APP, { spec: { image, extraEnv, ...more } });
  return metadata['generation'] as number;
}

const becomes = (what: string, generation: number, matches: (app: KubeObject) => boolean) =>
  story.untilDashboard(
    NAMESPACE,
    what,
    app => app['status']?.observedGeneration === generation && matches(app),
    PATIENCE_S,
  );
const serves = (app: KubeObject): boolean => story.isReady(app) && app['status'].phase === 'Released';

async function good(image: string): Promise<void> {
  await becomes('a good release to serve', await released(image), serves);
}

async function bad(image: string, meanwhile: () => Promise<unknown> = async () => {}): Promise<void> {
  const { best } = stage.releases;
  const generation = await released(image);
  await meanwhile();
  await becomes('a bad release to be rejected', generation, story.isRejected(image));
  await story.untilSettled(stage);
  const pods = await list(`${PODS}?labelSelector=devshelf.dev/role=serving`);
  const left = pods.filter(({ spec, metadata }) => !metadata.deletionTimestamp && spec.containers[0].image === image);
  if (left.length > 0) violated(`${left.length} pods of ${image} serve after it was rejected`);
  // the spec asks for what serves again: what is not asked for could not be told from what was lost
  await becomes('what serves to be asked for', await released(best), serves);
}

async function turnBad(): Promise<void> {
  await story.untilPhase(stage, 'Baking', PATIENCE_S);
  await sleep(3_000);
  await sql(NAMESPACE, story.PRICE_LIST('remota'));
}

const settles = async (): Promise<void> => {
  const { metadata } = await get(APP);
  await becomes('the dashboard to serve', metadata['generation'] as number, serves);
  await story.untilSettled(stage);
};

async function scaled(replicas: number): Promise<void> {
  await patch(APP, { spec: { replicas } });
  await story.untilPods(stage, replicas, PATIENCE_S);
}

async function rotated(): Promise<void> {
  round += 1;
  const request = `soak-${round}`;
  await patch(APP, { metadata: { annotations: { 'devshelf.dev/rotate': request } } });
  const reaches = (state: string) =>
    story.untilDashboard(
      NAMESPACE,
      `the keys to be ${state}`,
      ({ status }) =>
        status?.keys?.some(
          (key: Record<string, unknown>) =>
            key['name'] === 'api' && key['state'] === state && key['request'] === request,
        ),
      PATIENCE_S,
    );
  await reaches('Draining');
  const old = users;
  users = await story.startUsers(stage, `${round}`);
  await sleep(5_000); // both keys are asked with
  await story.stopUsers(old);
  earlier.push(...answersOf(old));
  await reaches('Idle');
}

/** How often an event was repeated is written half a minute after it, whatever has come since. */
async function isAtRest(seconds: number): Promise<void> {
  const { what } = await countWrites(seconds);
  const writes = what.filter(write => !write.startsWith('patch events'));
  if (writes.length > 0) violated(`at rest the operator wrote ${writes.join(', ')}`);
}

/** What may happen, and how often it does beside the others. `mayHarm`: users find out what no rehearsal can. */
const STEPS = {
  good: { weight: 4, run: () => good(round % 2 === 0 ? stage.releases.better : stage.releases.best) },
  'bad, found by its rehearsal': { weight: 2, run: () => bad(stage.releases.bad) },
  'bad, found by users': { weight: 3, run: () => bad(stage.releases.unseenBad[0] ?? ''), mayHarm: true },
  'bad after its promotion': {
    weight: 2,
    mayHarm: true,
    run: async () => {
      await sql(NAMESPACE, story.PRICE_LIST('local'));
      await bad(stage.releases.lateBad, turnBad);
    },
  },
  'cannot start': { weight: 1, run: () => bad(stage.releases.brokenStart) },
  'kubectl rollout undo': {
    weight: 1,
    run: async () => {
      await kubectl(['-n', NAMESPACE, 'rollout', 'undo', 'deployment/dashboard']);
      await sleep(5_000);
      await settles();
    },
  },
  'kubectl rollout restart': {
    weight: 1,
    run: async () => {
      await kubectl(['-n', NAMESPACE, 'rollout', 'restart', 'deployment/dashboard']);
      await sleep(5_000);
      await settles();
    },
  },
  'a pod is deleted': {
    weight: 2,
    run: async () => {
      const [pod] = await list(`${PODS}?labelSelector=devshelf.dev/role=serving`);
      await remove(`${PODS}/${pod?.metadata.name}`);
      await sleep(5_000);
      await settles();
    },
  },
  'a Service is edited': {
    weight: 1,
    run: async () => {
      const service = `/api/v1/namespaces/${NAMESPACE}/services/dashboard`;
      await patch(service, { spec: { sessionAffinity: 'ClientIP' } });
      await until('the Service to be as it was', async () => (await get(service))['spec'].sessionAffinity === 'None');
    },
  },
  'more pods, and fewer': {
    weight: 1,
    run: async () => {
      await scaled(4);
      await scaled(3);
      await settles();
    },
  },
  'keys are rotated': { weight: 2, run: rotated },
  'DevShelf is released': {
    weight: 1,
    run: async () => {
      round += 1;
      const path = story.devshelfPath(NAMESPACE);
      const { metadata } = await patch(path, { spec: { extraEnv: [{ name: 'ROUND', value: String(round) }] } });
      const isServed = (app: KubeObject): boolean =>
        app['status'].observedGeneration === metadata['generation'] && serves(app);
      await until('DevShelf to serve', async () => isServed(await get(path)), { seconds: PATIENCE_S });
    },
  },
  rest: {
    weight: 2,
    run: async () => {
      await sleep(3_000);
      await isAtRest(15);
    },
  },
} as const satisfies Record<
  string,
  { readonly weight: number; readonly run: () => Promise<void>; readonly mayHarm?: true }
>;

const KINDS = Object.keys(STEPS) as Kind[];
const kinds = fc.sample(
  fc.oneof(...KINDS.map(kind => ({ weight: STEPS[kind].weight, arbitrary: fc.constant(kind) }))),
  { seed: SEED, numRuns: 500 },
);

const answersOf = (some: story.Users): readonly Answer[] => Object.values(some).flatMap(one => one.answers());
const answers = (): readonly Answer[] => [...earlier, ...answersOf(users)];

function toldOf(from: number, to: number): Told {
  const failed = between(answers(), from, to).filter(isFailed);
  return { failed, byBad: failed.filter(({ release }) => release === 'bad' || release === 'late-bad') };
}

const namesOf = (failed: readonly Answer[]): string =>
  failed
    .slice(0, 5)
    .map(({ at, ms, status, error, release }) =>
      JSON.stringify({ at: new Date(at).toISOString(), ms, status, error, release }),
    )
    .join(' ');

/** One thing that happens, and who was harmed by it. */
async function take(kind: Kind): Promise<number> {
  const from = Date.now();
  try {
    await STEPS[kind].run();
  } catch (error) {
    violated(`${kind}: ${error instanceof Error ? error.message.slice(0, 1_500) : error}`);
  }
  await sleep(1_000);
  const { failed, byBad } = toldOf(from, Date.now() - 500);
  const refused = failed.filter(({ status }) => status === 401 || status === 403);
  const mayHarm = 'mayHarm' in STEPS[kind];
  const others = failed.filter(one => !(mayHarm && byBad.includes(one)));
  if (refused.length > 0) violated(`${kind}: ${refused.length} refused: ${namesOf(refused)}`);
  else if (others.length > 0) violated(`${kind}: ${others.length} failed: ${namesOf(others)}`);
  if (byBad.length > MOST_HARMED && kind === 'bad, found by users')
    violated(`${kind}: ${byBad.length} harmed by the bad release`);
  const seconds = Math.round((Date.now() - from) / 1000);
  process.stdout.write(
    `${new Date().toISOString()} ${kind}: ${seconds} s, ${failed.length} failed, ${byBad.length} of them by a bad release\n`,
  );
  return byBad.filter(isHarmed).length;
}

beforeAll(async () => {
  await up();
  const releases = await prepareReleases(1);
  await installOperator();
  stage = await story.setTheStage(NAMESPACE, releases, () => {});
  await story.installBoth(stage);
  await patch(APP, { spec: { apiKey: { rotation: { overlapSeconds: OVERLAP_SECONDS } }, rollout: ROLLOUT } });
  await patch(story.devshelfPath(NAMESPACE), { spec: { rollout: ROLLOUT } });
  users = await story.startUsers(stage);
}, 30 * MINUTE);

afterAll(async () => {
  if (users) await story.stopUsers(users);
  stage?.recording.stop();
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

test(
  'whatever happens, nobody is harmed but by what only users can find, and the operator stays as it is',
  async () => {
    const pid = await operatorPid();
    const begun = Date.now();
    const sampler = setInterval(() => {
      operatorRssMiB().then(
        mib => sizes.push({ at: Date.now(), mib }),
        () => {}, // it has ended: that is found below
      );
    }, SAMPLE_MS);
    let [count, harmed] = [0, 0];
    try {
      for (const kind of kinds) {
        if (Date.now() - begun > MINUTES * MINUTE) break;
        harmed += await take(kind);
        count += 1;
      }
    } finally {
      clearInterval(sampler);
    }
    await settles();
    await isAtRest(20);
    if ((await operatorPid()) !== pid) violated('the operator is another process');
    const minutes = (Date.now() - begun) / MINUTE;
    const third = (part: number): number =>
      median(
        sizes.filter(({ at }) => Math.floor(((at - begun) / (minutes * MINUTE)) * 3) === part).map(({ mib }) => mib),
      );
    const [first, second, last] = [third(0), third(1), third(2)];
    if (!(last <= FLAT_RATIO * second)) violated(`memory grows: ${second} MiB, then ${last} MiB`);
    const asked = answers().length;
    process.stdout.write(
      `soak: SEED=${SEED}, ${minutes.toFixed(0)} minutes, ${count} things happened, ${asked} requests, ${harmed} harmed by bad releases, ` +
        `${violations.length} violations; RSS ${first}, ${second}, ${last} MiB by thirds, ${Math.max(...sizes.map(({ mib }) => mib))} at most\n`,
    );
    expect(violations).toEqual([]);
  },
  (MINUTES + 20) * MINUTE,
);
