// Keys on the real cluster: real kubelets bring the Secrets, real pods refuse a wrong key, users ask all the time.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { up } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { apply, disconnect, get, type KubeObject, patch } from './kube.ts';
import { clearNamespace, createSecrets, freshNamespace, startStores } from './namespace.ts';
import { installOperator, killOperator } from './operator.ts';
import { prepareReleases } from './releases.ts';
import { dashboard, dashboardPath, isReady, untilDashboard } from './story.ts';
import { apiKey, between, isFailed, startTraffic, type Traffic } from './traffic.ts';

const MINUTE = 60_000;
const NAMESPACE = 'e2e-keys';
const OVERLAP_SECONDS = 60;
const RATE = 20;

const running: Traffic[] = [];

beforeAll(async () => {
  await up();
  const releases = await prepareReleases(1);
  await installOperator();
  await freshNamespace(NAMESPACE);
  await createSecrets(NAMESPACE);
  await startStores(NAMESPACE, releases);
  const rotation = { overlapSeconds: OVERLAP_SECONDS };
  const rollout = { minReadySeconds: 0, bakeSeconds: 0, analysis: { minimumSeconds: 5 } };
  await apply(dashboard(NAMESPACE, releases.first, { rollout, apiKey: { rotation } }));
  await untilDashboard(NAMESPACE, 'the dashboard to be Ready', isReady);
}, 30 * MINUTE);

afterAll(async () => {
  await Promise.all(running.map(traffic => traffic.stop()));
  await clearNamespace(NAMESPACE);
  disconnect();
}, 5 * MINUTE);

const users = async (clients = 0): Promise<Traffic> => {
  const headers = { 'x-api-key': await apiKey(NAMESPACE, 'dashboard') };
  const paths = ['/api/summary', '/api/providers'];
  const traffic = await startTraffic({
    namespace: NAMESPACE,
    service: 'dashboard',
    paths,
    headers,
    rate: RATE,
    clients,
  });
  running.push(traffic);
  return traffic;
};

const ask = (request: string, mode: 'graceful' | 'immediate') =>
  patch(dashboardPath(NAMESPACE), {
    metadata: { annotations: { 'devshelf.dev/rotate': request, 'devshelf.dev/rotate-mode': mode } },
  });

const reaches = (state: string, request: string, seconds = 60): Promise<KubeObject> =>
  untilDashboard(
    NAMESPACE,
    `key rotation ${request} to be ${state}`,
    ({ status }) =>
      status?.keys?.some(
        (key: Record<string, unknown>) => key['name'] === 'api' && key['state'] === state && key['request'] === request,
      ),
    seconds,
  );

const statusesOf = (traffic: Traffic, from: number, to: number): number[] => [
  ...new Set(between(traffic.answers(), from, to).map(({ status = 0 }) => status)),
];

test(
  'no request is refused: with the old key until its time is over, with the new one from when it is given out',
  async () => {
    const withOld = await users();
    await sleep(2_000);
    const askedAt = Date.now();
    await ask('first', 'graceful');
    const drains = await reaches('Draining', 'first');
    const givenAt = Date.now();
    console.log(`from the request to the new key in the callers' Secret: ${givenAt - askedAt} ms`);
    const withNew = await users(10);
    await killOperator();
    const key = drains['status'].keys.find(({ name }: { name: string }) => name === 'api');
    const until = Date.parse(key.previousUntil);
    await reaches('Idle', 'first', OVERLAP_SECONDS + 60);
    const endedAt = Date.now();
    await sleep(3_000);

    expect(until - givenAt).toBeGreaterThan((OVERLAP_SECONDS - 10) * 1000);
    expect(between(withOld.answers(), askedAt, until).filter(isFailed)).toEqual([]);
    expect(between(withOld.answers(), askedAt, until).length).toBeGreaterThan(RATE * (OVERLAP_SECONDS - 10));
    expect(statusesOf(withOld, endedAt, Date.now())).toEqual([401]);
    expect(withNew.answers().filter(isFailed)).toEqual([]);
    expect(withNew.answers().length).toBeGreaterThan(RATE * (OVERLAP_SECONDS - 10));
    await Promise.all(running.splice(0).map(traffic => traffic.stop()));
  },
  5 * MINUTE,
);

test(
  'a leaked key is refused within seconds',
  async () => {
    const withLeaked = await users();
    await sleep(1_000);
    const askedAt = Date.now();
    await ask('leak', 'immediate');
    await reaches('Idle', 'leak');
    console.log(`from the request until every pod refuses the leaked key: ${Date.now() - askedAt} ms`);
    const endedAt = Date.now();
    await sleep(2_000);
    expect(statusesOf(withLeaked, endedAt, Date.now())).toEqual([401]);
    expect(endedAt - askedAt).toBeLessThan(30_000);
    const { data } = await get(`/api/v1/namespaces/${NAMESPACE}/secrets/dashboard-api-keyring`);
    expect(Object.keys(data)).toEqual(['keyring.json']);
  },
  3 * MINUTE,
);
