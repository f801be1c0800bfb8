// What people get wrong, and what others do to their objects: the answer names the fault, and what is mended goes on
// by itself.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { up } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { apply, conditionOf, disconnect, find, get, type KubeObject, list, patch, Refused, remove } from './kube.ts';
import {
  clearNamespace,
  createSecrets,
  dashboardSecret,
  freshNamespace,
  secret,
  sql,
  startStores,
} from './namespace.ts';
import { installOperator } from './operator.ts';
import { prepareReleases, type Releases } from './releases.ts';
import { dashboard, dashboardPath, isReady, untilDashboard } from './story.ts';
import { until } from './wait.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-input';
const ROLLOUT = { minReadySeconds: 0, bakeSeconds: 0, analysis: { minimumSeconds: 5 } };

let releases: Releases;

beforeAll(async () => {
  await up();
  releases = await prepareReleases(1);
  await installOperator();
  await freshNamespace(NAMESPACE);
  await createSecrets(NAMESPACE);
  await startStores(NAMESPACE, releases);
  // it takes two minutes to be sure that a pod does not start: the last test looks at this one
  await apply(app('unpulled', OWN_DATABASE, 'devshelf.local/nobody-built-this:1.0.0'));
}, 30 * MINUTE);

afterAll(async () => {
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

/** One migration at a time per database: whoever waits two minutes for its image has one of its own. */
const OWN_DATABASE = { database: { urlSecretRef: { name: 'devshelf-db' } } };
const small = { replicas: 1, rollout: ROLLOUT };
const app = (name: string, more: object = {}, image = releases.first): KubeObject =>
  dashboard(NAMESPACE, image, { ...small, ...more }, name);

const seen = (name: string, what: string, matches: (app: KubeObject) => boolean, seconds = 90): Promise<KubeObject> =>
  untilDashboard(NAMESPACE, what, matches, seconds, name);

const says = (type: string, reason: string) => (object: KubeObject) => conditionOf(object, type)?.reason === reason;

const refusal = async (object: KubeObject): Promise<string> => {
  try {
    await apply(object);
  } catch (error) {
    if (error instanceof Refused && error.status === 422) return error.message;
    throw error;
  }
  await remove(dashboardPath(NAMESPACE, object.metadata.name));
  return 'accepted';
};

const CHILDREN = [
  '/apis/apps/v1/namespaces/NS/deployments',
  '/apis/apps/v1/namespaces/NS/controllerrevisions',
  '/apis/batch/v1/namespaces/NS/jobs',
  '/api/v1/namespaces/NS/pods',
  '/api/v1/namespaces/NS/services',
  '/api/v1/namespaces/NS/serviceaccounts',
  '/api/v1/namespaces/NS/secrets',
  '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
  '/apis/networking.k8s.io/v1/namespaces/NS/networkpolicies',
];

async function childrenOf(name: string): Promise<readonly string[]> {
  const selector = `labelSelector=app.kubernetes.io%2Finstance%3D${name}`;
  const found = CHILDREN.map(async path => {
    const objects = await list(`${path.replace('NS', NAMESPACE)}?${selector}`);
    return objects.map(({ metadata }) => `${path.split('/').at(-1)}/${metadata.name}`);
  });
  return (await Promise.all(found)).flat();
}

async function deleteAndWait(name: string): Promise<void> {
  await remove(dashboardPath(NAMESPACE, name));
  let left: readonly string[] = [];
  const gone = async () => {
    left = await childrenOf(name);
    return left.length === 0;
  };
  await until(`the children of ${name} to be gone`, gone, { seconds: 120, state: () => left.join(', ') });
  expect(await find(dashboardPath(NAMESPACE, name))).toBeUndefined();
}

test.each([
  ['an image tagged :latest', { image: 'devshelf.local/dashboard:latest' }, 'must not be :latest'],
  ['an image without a tag', { image: 'devshelf.local/dashboard' }, 'names neither tag nor digest'],
  ['a ratio of 5', { rollout: { analysis: { maxServerErrorRatio: '5' } } }, 'must be a number greater than 0'],
  ['a ratio in percent', { rollout: { analysis: { maxServerErrorRatio: '5%' } } }, 'for example "0.05" for 5 %'],
  ['minReplicas over maxReplicas', { autoscaling: { minReplicas: 5, maxReplicas: 2 } }, 'must not be greater than'],
  ['an operator’s own variable', { extraEnv: [{ name: 'DATABASE_URL', value: 'x' }] }, 'is set by the operator'],
])('%s is refused by the API server, in words', async (_case, change, words) => {
  expect(await refusal(app('refused', change))).toContain(words);
});

test(
  'a Secret that is not there is named, and the release goes on when it appears',
  async () => {
    await apply(app('no-secret', { database: { urlSecretRef: { name: 'later-db' } } }));
    const waiting = await seen('no-secret', 'SecretMissing', says('DependenciesReady', 'SecretMissing'));
    expect(conditionOf(waiting, 'DependenciesReady')?.message).toContain('later-db');
    expect(
      await list(`/apis/batch/v1/namespaces/${NAMESPACE}/jobs?labelSelector=app.kubernetes.io%2Finstance%3Dno-secret`),
    ).toHaveLength(0);
    await secret(NAMESPACE, 'later-db', 'WRONG_KEY', 'x');
    const keyless = await seen('no-secret', 'SecretKeyMissing', says('DependenciesReady', 'SecretKeyMissing'));
    expect(conditionOf(keyless, 'DependenciesReady')?.message).toContain('DATABASE_URL');
    const { data } = await get(`/api/v1/namespaces/${NAMESPACE}/secrets/dashboard-db`);
    const url = Buffer.from(data.DATABASE_URL, 'base64').toString();
    await secret(NAMESPACE, 'later-db', 'DATABASE_URL', url);
    await seen('no-secret', 'the release to go on', isReady);
  },
  4 * MINUTE,
);

test(
  'a database that is down when the schema should move: said, and gone on from alone',
  async () => {
    const { data } = await get(`/api/v1/namespaces/${NAMESPACE}/secrets/dashboard-db`);
    const url = Buffer.from(data.DATABASE_URL, 'base64').toString().replace('@postgresql:', '@postgresql-later:');
    await secret(NAMESPACE, 'down-db', 'DATABASE_URL', url);
    await apply(app('db-down', { database: { urlSecretRef: { name: 'down-db' } } }));
    const waiting = await seen('db-down', 'DatabaseUnreachable', says('Migrated', 'DatabaseUnreachable'));
    expect(conditionOf(waiting, 'Stalled')).toBeUndefined();
    await apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'postgresql-later', namespace: NAMESPACE },
      spec: { selector: { app: 'postgresql' }, ports: [{ port: 5432 }] },
    });
    await seen('db-down', 'the release to go on', isReady);
  },
  4 * MINUTE,
);

test(
  'no ServiceMonitor API: the condition says so, and Ready does not depend on it',
  async () => {
    await apply(app('child'));
    const ready = await seen('child', 'the resource to be Ready', isReady);
    expect(conditionOf(ready, 'Monitored')).toMatchObject({ status: 'False', reason: 'ServiceMonitorAPIMissing' });
  },
  3 * MINUTE,
);

test(
  'children edited or deleted by hand are put back',
  async () => {
    const service = `/api/v1/namespaces/${NAMESPACE}/services/child`;
    const deployment = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments/child`;
    const budget = `/apis/policy/v1/namespaces/${NAMESPACE}/poddisruptionbudgets/child`;
    const { spec } = await get(service);
    await patch(service, { spec: { selector: { 'devshelf.dev/role': 'nobody' } } });
    await until('the selector to be put back', async () => {
      const now = await get(service);
      return now['spec'].selector['devshelf.dev/role'] === spec.selector['devshelf.dev/role'];
    });
    await patch(deployment, { spec: { template: { spec: { containers: [{ name: 'app', image: releases.best }] } } } });
    await until('the image to be put back', async () => {
      const now = await get(deployment);
      return now['spec'].template.spec.containers[0].image === releases.first;
    });
    for (const path of [service, budget]) {
      const { metadata } = await get(path);
      await remove(path);
      await until(`${path} to be put back`, async () => {
        const now = await find(path);
        return now !== undefined && now.metadata.uid !== metadata.uid;
      });
    }
    const { metadata } = await get(deployment);
    await remove(deployment);
    await until('the Deployment to be put back', async () => {
      const now = await find(deployment);
      return now !== undefined && now.metadata.uid !== metadata.uid && now['status']?.readyReplicas === 1;
    });
    await seen('child', 'everything to be Ready again', isReady);
  },
  4 * MINUTE,
);

test(
  'a child’s name that belongs to someone else is never taken over',
  async () => {
    const theirs = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'taken', namespace: NAMESPACE, labels: { owner: 'somebody' } },
      spec: { selector: { app: 'theirs' }, ports: [{ port: 1234 }] },
    };
    const before = await apply(theirs);
    await apply(app('taken'));
    const refused = await seen('taken', 'NotOwned', object =>
      (object['status']?.conditions ?? []).some(({ reason }: { reason: string }) => reason === 'NotOwned'),
    );
    const words = JSON.stringify(refused['status'].conditions);
    expect(words).toContain('taken');
    await sleep(3_000);
    const after = await get(`/api/v1/namespaces/${NAMESPACE}/services/taken`);
    expect(after.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    await remove(`/api/v1/namespaces/${NAMESPACE}/services/taken`);
    await seen('taken', 'the release to go on once the name is free', isReady);
    await deleteAndWait('taken');
  },
  5 * MINUTE,
);

test(
  'deleted while a Secret is missing: nothing is left',
  async () => {
    await apply(app('gone', { database: { urlSecretRef: { name: 'never-there' } } }));
    await seen('gone', 'SecretMissing', says('DependenciesReady', 'SecretMissing'));
    await deleteAndWait('gone');
  },
  3 * MINUTE,
);

test(
  'deleted while the migration’s pod cannot start: its Job is not left running',
  async () => {
    await apply(app('gone', {}, 'devshelf.local/nobody-built-this:2.0.0'));
    await seen('gone', 'the Job’s pod to wait', says('Migrated', 'PodStarting'));
    expect(await childrenOf('gone')).toContainEqual(expect.stringMatching(/^jobs\//));
    await deleteAndWait('gone');
  },
  4 * MINUTE,
);

test(
  'deleted while it is installed, and while a candidate is tried: children go, the database stays as it is',
  async () => {
    const tables = () => sql(NAMESPACE, "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'");
    const before = await tables();
    await dashboardSecret(NAMESPACE);
    await apply(app('gone'));
    await until('the Deployment to be made', () => find(`/apis/apps/v1/namespaces/${NAMESPACE}/deployments/gone`));
    await deleteAndWait('gone');
    await apply(app('gone'));
    await seen('gone', 'the first release', isReady);
    await apply(app('gone', {}, releases.better));
    await seen('gone', 'the candidate', object => object['status']?.phase === 'Candidate');
    await deleteAndWait('gone');
    expect(await sql(NAMESPACE, 'SELECT count(*) > 0 FROM proveedores')).toBe('f'); // no rows were ever put in
    expect(await tables()).toBe(before);
  },
  6 * MINUTE,
);

test(
  'an image that cannot be pulled: the kubelet’s words, and a mended spec goes on',
  async () => {
    const waiting = await seen('unpulled', 'the kubelet’s words', object =>
      /pull/i.test(conditionOf(object, 'Migrated')?.message ?? ''),
    );
    expect(conditionOf(waiting, 'Ready')?.status).toBe('False');
    const failed = await seen('unpulled', 'PodCannotStart', says('Stalled', 'PodCannotStart'), 180);
    expect(conditionOf(failed, 'Stalled')?.message).toContain('nobody-built-this');
    await apply(app('unpulled', OWN_DATABASE));
    const mended = await seen('unpulled', 'the mended resource to be Ready', isReady);
    expect(conditionOf(mended, 'Stalled')).toBeUndefined();
  },
  6 * MINUTE,
);
