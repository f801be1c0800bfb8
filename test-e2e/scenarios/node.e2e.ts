// What only a real kubelet does to a release: its image is gone, its memory is not enough, its tag means another image
// by now. Three dashboards side by side, so that their waits are one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { forgetImage, loadArchive, loadImages, up } from '../cluster/cluster.ts';
import { type Image, projectImage } from '../cluster/images.ts';
import { apply, conditionOf, disconnect, type KubeObject, list, patch, raw, remove } from './kube.ts';
import { clearNamespace, freshNamespace } from './namespace.ts';
import { installOperator } from './operator.ts';
import { dashboardPath, isReady, isReleased, untilDashboard } from './story.ts';
import { noDatabase, SETTLES, toldDashboard, toldImage } from './told.ts';
import { isHarmed, startTraffic, type Traffic } from './traffic.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-node';
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const BAKES = { ...SETTLES, bakeSeconds: 900, progressDeadlineSeconds: 30 };

const traffic: Traffic[] = [];
let stable: Image;
let gone: Image;
let pushed: Image;

const becomes = (name: string, what: string, matches: (app: KubeObject) => boolean, seconds = 120) =>
  untilDashboard(NAMESPACE, what, matches, seconds, name);
const isBecause =
  (reason: string, type = 'Ready') =>
  (app: KubeObject) =>
    conditionOf(app, type)?.reason === reason;

/** Another release of the dashboard, on trial with users and then watched. */
async function newRelease(name: string, spec: object): Promise<void> {
  const options = { namespace: NAMESPACE, service: name, paths: ['/api/x'], rate: 20 };
  traffic.push(await startTraffic(options));
  await patch(dashboardPath(NAMESPACE, name), { spec: { ...spec, rollout: BAKES } });
  await becomes(name, `${name} to be watched`, ({ status }) => status?.phase === 'Baking');
}

/** Those that are on their way out, too. */
const allPodsOf = (name: string): Promise<readonly KubeObject[]> => {
  const selector = `app.kubernetes.io/instance=${name},devshelf.dev/role=serving`;
  return list(`${PODS}?labelSelector=${encodeURIComponent(selector)}`);
};
const podsOf = async (name: string): Promise<readonly KubeObject[]> =>
  (await allPodsOf(name)).filter(({ metadata }) => metadata.deletionTimestamp === undefined);

/** One that is killed over it gives no answer. */
const tell = async (name: string, what: string): Promise<void> => {
  const pods = await podsOf(name);
  await Promise.all(pods.map(({ metadata }) => raw(`${PODS}/${metadata.name}:8080/proxy/told?${what}`).catch(String)));
};

const imageIdsOf = async (name: string): Promise<readonly string[]> =>
  (await podsOf(name)).flatMap(({ status }) => status?.containerStatuses?.[0]?.imageID || []);

beforeAll(async () => {
  await up();
  [stable, gone, pushed] = [await toldImage('1'), await toldImage('gone'), await toldImage('pushed', 'first')];
  await loadImages([await projectImage('operator'), stable]);
  // whatever an earlier run left under these names
  for (const { archive } of [gone, pushed]) await loadArchive(archive);
  await installOperator();
  await freshNamespace(NAMESPACE);
  await noDatabase(NAMESPACE);
  const images = { gone, leaky: stable, pushed };
  await Promise.all(Object.entries(images).map(([name, image]) => apply(toldDashboard(NAMESPACE, name, image))));
  await Promise.all(Object.keys(images).map(name => becomes(name, `${name} to be Ready`, isReady)));
  await Promise.all([
    newRelease('gone', { image: stable.reference }),
    newRelease('leaky', { extraEnv: [{ name: 'RELEASE', value: 'b' }] }),
  ]);
}, 30 * MINUTE);

afterAll(async () => {
  await Promise.all(traffic.map(load => load.stop()));
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

test(
  'a tag that was pushed again is said, once a pod runs what it means now',
  async () => {
    const again = await toldImage('pushed', 'second');
    await loadArchive(again.archive);
    const [first] = await podsOf('pushed');
    await remove(`${PODS}/${first?.metadata.name}`);
    const app = await becomes('pushed', 'two images to be seen', isBecause('ImagesDiffer', 'Available'));
    expect(new Set(await imageIdsOf('pushed')).size).toBe(2);
    expect(conditionOf(app, 'Available')?.message).toContain('its tag was pushed again');
    expect(isReleased(pushed.reference)(app)).toBe(true);
  },
  3 * MINUTE,
);

test(
  'a release whose pods are killed for want of memory is taken back, though every answer was right',
  async () => {
    await tell('leaky', 'hoard=256');
    const app = await becomes('leaky', 'the rejection', isBecause('ReleaseRejected'));
    expect(conditionOf(app, 'Ready')?.message).toContain('OOMKilled');
    expect((await podsOf('leaky')).length).toBe(2);
  },
  3 * MINUTE,
);

test(
  'a stable release whose image is gone is not said to serve; a person is called, and it goes on when it can be pulled',
  async () => {
    await forgetImage(gone.reference);
    await tell('gone', 'fail');
    const stalled = await becomes('gone', 'a person to be called', isBecause('RollbackIncomplete'));
    const { message } = conditionOf(stalled, 'Stalled') ?? {};
    expect(message).toMatch(/gone does not come back: 0 of 2 pods ready.*(ErrImagePull|ImagePullBackOff)/);
    expect(JSON.stringify(stalled['status'].conditions)).not.toContain('serves again');
    await loadArchive(gone.archive);
    const app = await becomes('gone', 'the rejection', isBecause('ReleaseRejected'));
    expect(app['status'].currentImage).toBe(gone.reference);
    // until then the node may still send somebody there
    const isGone = async () =>
      (await allPodsOf('gone')).every(pod => pod['spec'].containers[0].image === gone.reference);
    await until('the last pod of the other release to be gone', isGone);
    const from = Date.now();
    const [load] = traffic;
    const since = () => load?.answers().filter(({ at }) => at >= from) ?? [];
    await until('users to be answered', () => since().length > 20);
    expect(since().filter(isHarmed)).toEqual([]);
  },
  5 * MINUTE,
);
