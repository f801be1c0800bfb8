// The story on the real cluster, each part with its promise. The demo measures whether each figure's target is met, on a
// quiet machine; here they stand with room for a busy one, so that what fails is what is wrong.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LEASE_DURATION_MS } from '../../operator/src/kube/lease.ts';
import { up } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { conditionOf, disconnect, get, patch } from './kube.ts';
import { clearNamespace, sql } from './namespace.ts';
import {
  countWrites,
  installOperator,
  killOperator,
  operatorRssMiB,
  operatorStartMs,
  restartOperator,
} from './operator.ts';
import { testDashboard, testDevShelf } from './person.ts';
import { rolloutOf } from './recording.ts';
import { prepareReleases } from './releases.ts';
import * as story from './story.ts';
import { between, isHarmed } from './traffic.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-story';
/** How many times the demo's figure a busy machine may need: nobody who acts needs that much, nobody who does not keeps it. */
const BUSY = 12;

let stage: story.Stage;
let users: story.Users;

beforeAll(async () => {
  await up();
  const releases = await prepareReleases(2);
  await installOperator();
  stage = await story.setTheStage(NAMESPACE, releases, () => {});
  await story.installBoth(stage);
  users = await story.startUsers(stage);
}, 30 * MINUTE);

afterAll(async () => {
  if (users) await story.stopUsers(users);
  stage?.recording.stop();
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

const deployment = () => get(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/dashboard`);

// first, while both are the product as it is: the releases of the story have another server put over it
testDevShelf(NAMESPACE);
testDashboard(NAMESPACE);

test(
  'a good release moves the schema first and fails no request',
  async () => {
    const { failed, requests } = await story.goodRelease(stage, users, stage.releases.good);
    expect({ failed, enough: requests > 500 }).toEqual({ failed: 0, enough: true });
    const column = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'telefono'";
    expect(await sql(NAMESPACE, column)).toBe('1');
    expect((await get(story.dashboardPath(NAMESPACE)))['status'].migration.applied).toEqual([
      '20260201000000_proveedor_telefono',
    ]);
  },
  5 * MINUTE,
);

test(
  'a release that cannot start is met by no user',
  async () => {
    expect(await story.brokenStart(stage, users)).toMatchObject({ harmed: 0 });
    const { reason } = (await get(story.dashboardPath(NAMESPACE)))['status'].rollout.rejected;
    expect(reason).toBe('RehearsalFailed');
  },
  4 * MINUTE,
);

test(
  'a release that answers half of its requests with 500 is met by no user: it is asked what they asked of late',
  async () => {
    const measured = await story.rehearsedBad(stage, users);
    expect(measured).toMatchObject({ harmed: 0, reason: 'RehearsalFailed' });
    expect(measured.evidence).toMatch(/replayed requests answered 5xx, the stable pod 0 of \d+: GET \/api\//);
    expect(measured.readyToVerdictSeconds).toBeLessThanOrEqual(BUSY * 5);
  },
  4 * MINUTE,
);

test(
  'one that does so only with a header that users send is out in seconds, with few requests harmed',
  async () => {
    const measured = await story.badRelease(stage, users, stage.releases.unseenBad[0] ?? '');
    expect(measured.firstToLastErrorMs).toBeLessThanOrEqual(BUSY * 5_000);
    expect(measured.harmedByIt).toBeGreaterThan(0);
    expect(measured.harmedByIt).toBeLessThanOrEqual(BUSY * 20);
    expect(measured.patchToEndpointsMs).toBeLessThanOrEqual(BUSY * 1_000);
  },
  4 * MINUTE,
);

test(
  'a rejected release stays rejected when it is applied again, and retryToken tries it once more',
  async () => {
    const [image = ''] = stage.releases.unseenBad;
    const path = story.dashboardPath(NAMESPACE);
    const from = Date.now();
    await patch(path, { metadata: { labels: { 'synced-by': 'gitops' } }, spec: { image } });
    await sleep(8_000);
    expect(between(users.dashboard.answers(), from, Date.now()).filter(isHarmed)).toHaveLength(0);
    expect(rolloutOf(await deployment())).toMatchObject({ phase: 'Settled' });
    const app = await get(path);
    expect(conditionOf(app, 'Stalled')?.message).toContain('retryToken');

    await patch(path, { spec: { rollout: { retryToken: 'once-more' } } });
    await story.untilPhase(stage, 'Candidate');
    await story.untilDashboard(NAMESPACE, 'the second rejection', story.isRejected(image));
    await story.untilSettled(stage);
  },
  5 * MINUTE,
);

test(
  'an operator killed in the middle of a rollback changes nothing about its end',
  async () => {
    const before = rolloutOf(await deployment());
    const image = stage.releases.unseenBad[1] ?? '';
    const from = await story.release(stage, image, { retryToken: null });
    const begun = () =>
      stage.recording.deployments.find(({ at, object }) => at >= from && rolloutOf(object)?.phase === 'RollingBack');
    await until('the rollback to begin', begun, { everyMs: 5, seconds: 120 });
    await killOperator();
    expect(rolloutOf(await deployment())?.phase).toBe('RollingBack'); // not over yet
    await story.untilDashboard(NAMESPACE, 'the rejection after a restart', story.isRejected(image), 180);
    await story.untilSettled(stage);
    expect(rolloutOf(await deployment())).toMatchObject({ phase: 'Settled', release: before?.release });
    expect(between(users.dashboard.answers(), from, Date.now()).filter(isHarmed).length).toBeLessThanOrEqual(BUSY * 20);
    const { incidents } = (await get(story.dashboardPath(NAMESPACE)))['status'];
    expect(incidents.filter(({ failedImage }: { failedImage: string }) => failedImage === image)).toHaveLength(1);
  },
  6 * MINUTE,
);

test(
  'a release that turns bad after its promotion is taken back as a whole',
  async () => {
    const { decisionToOutMs, harmed } = await story.lateBad(stage, users);
    expect(decisionToOutMs).toBeLessThanOrEqual(BUSY * 5_000);
    expect(harmed).toBeGreaterThan(0);
    expect((await deployment())['status'].readyReplicas).toBe(3);
  },
  6 * MINUTE,
);

test(
  'kubectl rollout undo after that brings nothing of the rejected release back',
  async () => {
    const undone = await story.undone(stage, users, stage.releases.lateBad);
    expect(undone).toEqual({ harmed: 0, restored: true, left: false });
    await story.untilSettled(stage);
  },
  3 * MINUTE,
);

test(
  'a service that is scaled out in the middle of a trial meets no more of the bad release',
  async () => {
    const { harmedByIt } = await story.badWhileScaledOut(stage, users, stage.releases.badWhileScaledOut);
    expect(harmedByIt).toBeGreaterThan(0);
    expect(harmedByIt).toBeLessThanOrEqual(BUSY * 12);
    expect((await deployment())['status'].readyReplicas).toBe(3);
  },
  5 * MINUTE,
);

test(
  'a child that a quota refuses is in the way of no rollback',
  async () => {
    const { harmedByIt } = await story.badWhileRefused(stage, users, stage.releases.badWhileRefused);
    expect(harmedByIt).toBeGreaterThan(0);
    expect(harmedByIt).toBeLessThanOrEqual(BUSY * 12);
    await until(
      'the quota’s refusal to be over',
      async () => conditionOf(await get(story.dashboardPath(NAMESPACE)), 'ChildrenApplied') === undefined,
    );
  },
  5 * MINUTE,
);

test(
  'a release whose every second answer takes a second is taken back: slow is a fault, where one says so',
  async () => {
    const measured = await story.slowRelease(stage, users);
    expect(measured).toMatchObject({ failed: 0, reason: 'SlowRegression' });
    expect(measured.evidence).toMatch(/requests took longer than 0\.5 s \(limit 5 %\), the pods beside it 0 of/);
    expect(measured.slowed).toBeGreaterThan(0);
    expect(measured.slowed).toBeLessThanOrEqual(BUSY * 40);
  },
  4 * MINUTE,
);

// from here on every release may be taken back for slowness, too
test(
  'a database that stands still is blamed on no release, and all goes on when it does',
  async () => {
    const outage = await story.sharedOutage(stage, users, stage.releases.better, 12);
    expect(outage.rollbacks).toBe(0);
    expect(outage.harmed).toBeGreaterThan(20); // users did meet it
  },
  8 * MINUTE,
);

test(
  'on a machine with ten times too much to do a good release is not taken back, and the operator stays',
  async () => {
    const measured = await story.underLoad(stage, users, stage.releases.best, 20);
    console.log(`at load 20: ${JSON.stringify(measured)}`);
    expect(measured).toMatchObject({ rollbacks: 0, operatorEnded: false });
    // the figure is the demo's (5 s): a single answer that was lost on a full machine makes it a few seconds more; what
    // must never be is a process that was ended and waits for the kubelet, for minutes
    expect(measured.away.operatorMs - measured.away.clientMs).toBeLessThanOrEqual(LEASE_DURATION_MS);
  },
  8 * MINUTE,
);

test(
  'settled, and right after a restart, the operator writes nothing; it is small and starts fast',
  async () => {
    expect(await countWrites(20)).toMatchObject({ writes: 0, what: [] });
    const from = Date.now();
    await restartOperator();
    expect(await countWrites(20, from)).toMatchObject({ writes: 0, what: [] });
    expect(await operatorStartMs()).toBeLessThanOrEqual(BUSY * 1_000);
    expect(await operatorRssMiB()).toBeLessThanOrEqual(1.5 * 100);
  },
  4 * MINUTE,
);
