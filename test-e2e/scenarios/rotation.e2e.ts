// Keys on the real cluster: real kubelets bring the Secrets, real pods refuse a wrong key, users ask all the time.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { up } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { secretsIn, toldSecrets } from '../integration/told-secrets.ts';
import { apply, disconnect, get, type KubeObject, list, patch, raw } from './kube.ts';
import type { Answer } from './load.ts';
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
/** All that was ever worth keeping secret here: keys of before, too. */
const secrets = new Map<string, string>();
let firstImage = '';

beforeAll(async () => {
  await up();
  const releases = await prepareReleases(1);
  await installOperator();
  await freshNamespace(NAMESPACE);
  await createSecrets(NAMESPACE);
  await startStores(NAMESPACE, releases);
  firstImage = releases.first;
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

const users = async (clients = 0, key?: string): Promise<Traffic> => {
  const headers = { 'x-api-key': key ?? (await apiKey(NAMESPACE, 'dashboard')) };
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

/** Reads the key when it starts, and never again. It asks nothing itself: the traffic does. */
const readsOnce = (image: string): KubeObject => {
  const secretKeyRef = { name: 'dashboard-api-key', key: 'key' };
  const container = {
    ...{ name: 'caller', image, command: ['node', '-e', 'setInterval(() => {}, 1_000_000)'] },
    env: [{ name: 'KEY', valueFrom: { secretKeyRef } }],
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
  const securityContext = { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } };
  const spec = { containers: [container], securityContext, terminationGracePeriodSeconds: 1 };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'caller', namespace: NAMESPACE }, spec };
};

/** Pods of the service, and how often each began. */
async function serving(): Promise<string[]> {
  const { items } = await get(`/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=devshelf.dev/role=serving`);
  return items.map(({ metadata, status }: KubeObject) => `${metadata.uid} ${status.containerStatuses[0].restartCount}`);
}

/**
 * One connection in thousands meets an address that nobody has, and ends after three unanswered ARP requests: the
 * node's network, while every pod of the service is there. More than one, or any other failure, is the service's.
 */
function failures(answers: readonly Answer[]): readonly Answer[] {
  const failed = answers.filter(isFailed);
  const lost = failed.filter(({ error }) => error === 'EHOSTUNREACH');
  if (lost.length > 0) console.log(`lost by the node’s network: ${JSON.stringify(lost)}`);
  return lost.length > 1 ? failed : failed.filter(({ error }) => error !== 'EHOSTUNREACH');
}

const isRefused = ({ status }: { status?: number }): boolean => status === 401 || status === 403;

const saysOfKeys = ({ status }: KubeObject): { reason?: string; message: string } =>
  status?.conditions?.find(({ type }: { type: string }) => type === 'KeysCurrent') ?? { message: '' };

async function note(when: string): Promise<void> {
  for (const [where, secret] of await secretsIn(get, NAMESPACE)) secrets.set(`${where} ${when}`, secret);
}

/** What containers of a namespace have written, those that ended before among them. */
async function logsIn(namespace: string): Promise<Record<string, string>> {
  const pods = await list(`/api/v1/namespaces/${namespace}/pods`);
  const logs = pods.flatMap(({ metadata, status }) =>
    (status.containerStatuses ?? []).flatMap(({ name, restartCount }: { name: string; restartCount: number }) =>
      ['', ...(restartCount > 0 ? ['&previous=true'] : [])].map(async which => {
        const path = `/api/v1/namespaces/${namespace}/pods/${metadata.name}/log?container=${name}${which}`;
        return [`log of ${metadata.name}/${name}${which}`, await raw(path)] as const;
      }),
    ),
  );
  return Object.fromEntries(await Promise.all(logs));
}

/** The stores are the test's own, with their password in plain sight. */
const isOfStores = (place: string): boolean => /, in [a-z]+\/(?:postgresql|redis)(?:-|$)/.test(place);

test(
  'no request is refused: whoever never reads the new key holds the old one, and is named; with the new one it goes on',
  async () => {
    await apply(readsOnce(firstImage));
    const old = await apiKey(NAMESPACE, 'dashboard');
    await note('at first');
    const pods = await serving();
    expect(pods.length).toBeGreaterThan(0);
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
    const held = await untilDashboard(
      NAMESPACE,
      'the old key to be held',
      app => /is still used/.test(saysOfKeys(app).message) && /pod caller/.test(saysOfKeys(app).message),
      OVERLAP_SECONDS + 60,
    );
    console.log(`held: ${saysOfKeys(held).message}`);
    expect(saysOfKeys(held)).toMatchObject({ status: 'False', reason: 'RotationHeld' });
    await sleep(5_000);
    const heldUntil = Date.now();

    expect(until - givenAt).toBeGreaterThan((OVERLAP_SECONDS - 10) * 1000);
    expect(heldUntil).toBeGreaterThan(until);
    const seen = between(withOld.answers(), askedAt, heldUntil - 1_000);
    console.log(`with the old key: ${seen.length} requests, ${seen.filter(isRefused).length} refused`);
    expect(seen.filter(isRefused)).toEqual([]);
    expect(failures(seen)).toEqual([]);
    expect(withOld.answers().length).toBeGreaterThan(RATE * (OVERLAP_SECONDS - 10));

    await withOld.stop();
    await reaches('Idle', 'first', OVERLAP_SECONDS + 60);
    console.log(`from its last use until the old key was refused: ${Date.now() - heldUntil} ms`);
    const refused = await users(0, old);
    await sleep(2_000);
    expect(statusesOf(refused, 0, Date.now())).toEqual([401]);
    expect(withNew.answers().filter(isRefused)).toEqual([]);
    expect(failures(withNew.answers())).toEqual([]);
    expect(await serving()).toEqual(pods);
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
    await note('after a rotation');
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

test(
  'nothing of it all is told: not in an object of the namespace, nor by the operator, the services or whoever calls them',
  async () => {
    await note('at last');
    expect(secrets.size).toBeGreaterThan(10);
    const logs = { ...(await logsIn('devshelf-system')), ...(await logsIn(NAMESPACE)) };
    const size = Object.values(logs).reduce((sum, { length }) => sum + length, 0);
    console.log(`looked for ${secrets.size} secrets in ${Object.keys(logs).length} logs (${size} characters)`);
    expect(Object.keys(logs).join()).toMatch(/log of devshelf-operator-.*&previous=true/);
    const told = async (texts: Record<string, string>): Promise<string[]> =>
      (await toldSecrets(get, NAMESPACE, secrets, texts)).filter(place => !isOfStores(place));
    expect(await told(logs)).toEqual([]);
    // what finds nothing must be able to find something
    const key = await apiKey(NAMESPACE, 'dashboard');
    expect(await told({ 'a log': `x${key}y` })).toContain('dashboard-api-key/key at last, in a log');
  },
  MINUTE,
);
