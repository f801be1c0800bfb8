// From the version before to this one, back, and up again, with users at the service all the time.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadImages, up } from '../cluster/cluster.ts';
import { type Image, projectImage } from '../cluster/images.ts';
import { apply, disconnect, get, type KubeObject, list, patch } from './kube.ts';
import { clearNamespace, freshNamespace } from './namespace.ts';
import { installOperator, operatorLeads } from './operator.ts';
import { installPrevious, previousOperator } from './previous.ts';
import { dashboardPath, isReady, untilDashboard } from './story.ts';
import { noDatabase, toldDashboard, toldImage } from './told.ts';
import { between, isFailed, startTraffic, type Traffic, untilAnswered } from './traffic.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-upgrade';
const NAME = 'shop';
const DEPLOYMENT = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/${NAME}`;

let traffic: Traffic;
let previous: Image;

/** What a restart would change: the pods, how often their containers started, and what the Deployment makes. */
async function whatRuns(): Promise<object> {
  const selector = encodeURIComponent(`app.kubernetes.io/instance=${NAME}`);
  const all = await list(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${selector}`);
  const pods = all.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const deployment = await get(DEPLOYMENT);
  const ofPod = ({ metadata, status }: KubeObject) => [metadata.uid, status?.containerStatuses?.[0]?.restartCount];
  return { pods: pods.map(ofPod).sort(), replicas: deployment['spec'].replicas, template: deployment['spec'].template };
}

/** A new release under the operator that leads now. */
async function releases(version: string): Promise<void> {
  await patch(dashboardPath(NAMESPACE, NAME), { spec: { extraEnv: [{ name: 'RELEASE', value: version }] } });
  await untilDashboard(NAMESPACE, `${version} to be released`, isReady, 120, NAME);
  await until(`${version} to serve alone`, async () => {
    const { spec, status } = await get(DEPLOYMENT);
    const isRendered = JSON.stringify(spec.template).includes(version);
    return isRendered && status?.updatedReplicas === 2 && status.readyReplicas === 2 && status.replicas === 2;
  });
}

/** Another operator leads, and nothing that serves was touched. */
async function changesNothing(install: () => Promise<void>): Promise<void> {
  const before = await whatRuns();
  const { generation } = (await get(dashboardPath(NAMESPACE, NAME))).metadata;
  await install();
  await operatorLeads();
  // it answers for this resource: what is patched here it takes up
  await patch(dashboardPath(NAMESPACE, NAME), {
    spec: { rollout: { minReadySeconds: (generation ?? 0) % 2 ? 2 : 1 } },
  });
  await untilDashboard(NAMESPACE, 'the operator to take it up', isReady, 60, NAME);
  expect(await whatRuns()).toEqual(before);
}

beforeAll(async () => {
  await up();
  const told = await toldImage('upgrade');
  previous = await previousOperator();
  await loadImages([await projectImage('operator'), previous, told]);
  await installPrevious(previous, { definitions: true });
  await operatorLeads();
  await freshNamespace(NAMESPACE);
  await noDatabase(NAMESPACE);
  await apply(toldDashboard(NAMESPACE, NAME, told));
  await untilDashboard(NAMESPACE, 'the version before to install it', isReady, 120, NAME);
  traffic = await startTraffic({ namespace: NAMESPACE, service: NAME, paths: ['/api/x'], rate: 20 });
  await untilAnswered(traffic);
}, 30 * MINUTE);

afterAll(async () => {
  await traffic?.stop();
  await clearNamespace(NAMESPACE);
  await installOperator();
  disconnect();
}, 5 * MINUTE);

test(
  'up, back and up again: no pod restarts on the way up, no user is refused at all, and each version releases',
  async () => {
    const from = Date.now();
    await changesNothing(installOperator);
    await releases('this one');
    // it hashes what Secrets hold in another way: the same is a release of its own to it, as any other
    await installPrevious(previous, { definitions: false });
    await operatorLeads();
    await releases('the one before');
    await changesNothing(installOperator);
    await releases('this one again');
    const answers = between(traffic.answers(), from, Date.now());
    expect(answers.length).toBeGreaterThan(200);
    expect(answers.filter(isFailed)).toEqual([]);
  },
  6 * MINUTE,
);
