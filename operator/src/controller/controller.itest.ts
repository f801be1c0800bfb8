// The whole operator against a real API server and the real controllers; only the node and the evidence are played.
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { apisBy } from '../api/optional-apis.ts';
import { parseResource } from '../api/resource.ts';
import type { AppStatus } from '../api/status.ts';
import { apply, create, remove } from '../kube/apply.ts';
import * as kinds from '../kube/resource.ts';
import { desiredChildren } from '../objects/children.ts';
import { contentHash, digestOf } from '../objects/contents.ts';
import { deploymentReplicas } from '../objects/deployment.ts';
import { FIELD_MANAGER, LABELS } from '../objects/names.ts';
import { contentKey } from '../objects/references.ts';
import { releaseHash, releaseOf } from '../objects/release.ts';
import { revision } from '../objects/revision.ts';
import { Ledger } from './testing/ledger.ts';
import { type LittleCluster, startLittleCluster } from './testing/little-cluster.ts';
import { LittleDatabase, type LittleMigration } from './testing/little-database.ts';
import { verdict } from './testing/little-kubelet.ts';
import { startOperator } from './testing/little-operator.ts';
import { Scene } from './testing/scene.ts';
import { image, pause, QUICK, Shop, until } from './testing/shop.ts';
import { REPLICAS_WRITER, WRITER } from './views.ts';

const BUILD_MS = 15 * 60_000; // the first time the programs are built
const TEST_MS = 60_000;
const SETTLED_MS = 2_500;

let cluster: LittleCluster;
let jobLedger: Ledger;
let scenes: Scene[] = [];
let count = 0;

beforeAll(async () => {
  cluster = await startLittleCluster();
  jobLedger = new Ledger(cluster.transport, kinds.jobs);
  await jobLedger.synced;
}, BUILD_MS);

afterEach(async () => {
  await Promise.all(scenes.map(scene => scene.stop()));
  scenes = [];
});

afterAll(async () => {
  await jobLedger?.stop();
  await cluster?.stop();
});

async function open(options: { database?: boolean } = {}): Promise<Scene> {
  count += 1;
  const scene = new Scene(cluster, `scene-${count}`);
  scenes.push(scene);
  await scene.shop.open(options);
  await scene.start();
  return scene;
}

const api = (method: string, path: string, body?: unknown) => cluster.api.request(method, path, body);

const patch = (path: string, body: unknown) =>
  cluster.transport.request({ method: 'PATCH', path, contentType: 'application/merge-patch+json', body });

type PodLike = kinds.KubeObject & { status?: { phase?: string }; spec?: { containers?: { image?: string }[] } };

const podsOf = async (shop: Shop, version: string): Promise<PodLike[]> =>
  ((await shop.list('pods')) as PodLike[]).filter(
    pod =>
      pod.spec?.containers?.[0]?.image === image(version) && pod.metadata.labels?.['devshelf.dev/role'] === 'serving',
  );

const phaseOf = async (shop: Shop): Promise<string | undefined> => {
  const text = (await shop.deployment())?.metadata.annotations?.['devshelf.dev/rollout'];
  return text === undefined ? undefined : (JSON.parse(text) as { phase: string }).phase;
};

const reaches = (shop: Shop, phase: string) =>
  until(
    async () => (await phaseOf(shop)) === phase,
    async () => `${phase} was not reached: ${await phaseOf(shop)}`,
  );

const lastDecisions = async (scene: Scene): Promise<string[]> =>
  (await scene.operator.metrics())
    .split('\n')
    .filter(line => line.startsWith('devshelf_operator_decision_timestamp_seconds{'))
    .sort();

describe('from a version whose hashes were bare', () => {
  test(
    'what is settled restarts no pod and is not written; the next release’s hash cannot be guessed from',
    async () => {
      count += 1;
      const scene = new Scene(cluster, `scene-${count}`);
      scenes.push(scene);
      const { shop } = scene;
      await shop.open();
      await shop.create('1', { migrations: { policy: 'Disabled' } });
      const contentsNow = async () => {
        const [secret] = (await shop.list('secrets')).filter(({ metadata }) => metadata.name === 'db');
        const digest = digestOf((secret as { data?: Record<string, string> }).data ?? {}, true);
        return { [contentKey({ kind: 'Secret', name: 'db' })]: contentHash({ keys: ['DATABASE_URL'] }, digest) };
      };
      const parsed = parseResource(await shop.app());
      if (!parsed.ok) throw new Error(parsed.why);
      const { resource } = parsed;
      const release = releaseOf(resource, await contentsNow(), 'db');
      const at = new Date().toISOString();
      const verdict = JSON.stringify({ verdict: 'released', reason: 'Released', message: '', at });
      const { transport } = cluster;
      const writer = { fieldManager: FIELD_MANAGER };
      await create(transport, kinds.controllerRevisions, revision(resource, release, 1, { verdict }), writer);
      const record = {
        phase: 'Settled',
        release: release.hash,
        stable: release.hash,
        since: at,
        version: 2,
        write: 1,
      } as const;
      const children = desiredChildren(resource, record, () => release, { apis: apisBy(() => 'absent') });
      for (const child of children.filter(({ kind }) => kind === 'Deployment'))
        await apply(transport, kinds.deployments, child, WRITER);
      const replicas = deploymentReplicas(resource);
      if (replicas) await apply(transport, kinds.deployments, replicas, REPLICAS_WRITER);
      const pods = async () => (await shop.list('pods')).map(({ metadata }) => metadata.uid).sort();
      await until(async () => (await shop.deployment())?.status?.readyReplicas === 2, 'its pods did not become ready');
      const before = await pods();
      await scene.start();
      await shop.settles('1');
      await scene.quiet();
      expect(await pods()).toEqual(before);
      // the label that says whose database it has; its template is as it was
      const label = `PATCH /apis/apps/v1/namespaces/${shop.namespace}/deployments/shop`;
      expect(scene.writes.filter(write => /\/deployments|controllerrevisions|release-seed/.test(write))).toEqual([
        label,
      ]);
      await patch(`/api/v1/namespaces/${shop.namespace}/secrets/db`, {
        data: { DATABASE_URL: Buffer.from('postgresql://shop:other@db:5432/shop').toString('base64') },
      });
      const hash = async () => (await shop.deployment())?.spec?.template?.metadata?.labels?.[LABELS.release];
      await until(async () => (await hash()) !== release.hash, 'the changed Secret is no release');
      await shop.settles('1');
      expect(await hash()).not.toBe(releaseHash(resource, await contentsNow()));
      expect((await shop.list('secrets')).map(({ metadata }) => metadata.name)).toContain('shop-release-seed');
      await scene.restart();
      await shop.settles('1');
      await scene.quiet();
      expect(scene.writes).toEqual([]);
    },
    TEST_MS,
  );
});

describe('the seed of the releases’ hashes', () => {
  test(
    'deleted, with a release rejected: it comes back, no pod restarts, nothing is released, and rejected stays rejected',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      await scene.takenBack('2');
      await scene.quiet();
      const secrets = `/api/v1/namespaces/${shop.namespace}/secrets`;
      const seedOf = async (name: string) =>
        (await cluster.api.request('GET', `${secrets}/${name}`).catch(() => undefined)) as kinds.KubeObject | undefined;
      const facts = async () => ({
        pods: (await shop.list('pods')).map(({ metadata }) => metadata.uid).sort(),
        revisions: (await shop.list('apps/v1/controllerrevisions')).map(({ metadata }) => metadata.name).sort(),
        template: (await shop.deployment())?.metadata.generation,
      });
      const before = await facts();
      for (const name of ['shop-release-seed', 'shop-release-seed-copy', 'shop-release-seed']) {
        const lost = await seedOf(name);
        await cluster.api.request('DELETE', `${secrets}/${name}`);
        await until(
          async () => ![undefined, lost?.metadata.uid].includes((await seedOf(name))?.metadata.uid),
          `${name} does not come back`,
        );
        await shop.says('ReleaseRejected');
        await scene.nudge();
        await scene.quiet();
        expect(await facts()).toEqual(before);
        expect((await seedOf(name)) as object).toMatchObject({ data: (lost as unknown as { data: object }).data });
      }
      await scene.restart();
      await scene.quiet();
      expect(scene.writes).toEqual([]);
      expect(await facts()).toEqual(before);
    },
    TEST_MS,
  );
});

describe('at rest', () => {
  test(
    'nothing is written, and nothing after a restart either',
    async () => {
      const scene = await open();
      await scene.settled('1');
      const before = scene.writes.length;
      await pause(SETTLED_MS);
      expect(scene.writes.slice(before)).toEqual([]);
      await scene.restart();
      await pause(SETTLED_MS);
      expect(scene.writes).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'empty values in the spec are no reason to write either',
    async () => {
      const scene = await open();
      await scene.settled('1', {
        resources: { requests: {}, limits: {} },
        extraEnv: [{ name: 'EMPTY', value: '' }],
        podTemplate: {
          nodeSelector: {},
          tolerations: [{ operator: 'Exists' }, { key: 'a', value: '', effect: 'NoSchedule' }],
          affinity: { nodeAffinity: {}, podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
          labels: {},
          annotations: {},
        },
        monitoring: { labels: {} },
        imagePullSecrets: [],
        disruption: { maxUnavailable: '0%' },
      });
      const before = scene.writes.length;
      await scene.nudge();
      await pause(SETTLED_MS);
      expect(scene.writes.slice(before)).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'what somebody edits is put back, what somebody deletes is made again',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      const at = { namespace: shop.namespace, name: 'shop' };
      const service = kinds.pathOf(kinds.services, at);
      const port = async () =>
        ((await api('GET', service)) as { spec: { ports: { port: number }[] } }).spec.ports[0]?.port;
      await patch(service, { spec: { ports: [{ name: 'http', port: 8081, targetPort: 'http' }] } });
      await until(async () => (await port()) === 80, 'the port of the Service was not put back');

      await patch(kinds.pathOf(kinds.deployments, at), { spec: { minReadySeconds: 99, replicas: 5 } });
      await until(async () => {
        const spec = (await shop.deployment())?.spec;
        return (spec?.minReadySeconds ?? 0) === 0 && spec?.replicas === 2;
      }, 'the Deployment was not put back');

      for (const resource of [
        kinds.services,
        kinds.podDisruptionBudgets,
        kinds.networkPolicies,
        kinds.serviceAccounts,
      ]) {
        await remove(cluster.transport, resource, at);
        await until(
          async () => api('GET', kinds.pathOf(resource, at)).then(Boolean, () => false),
          `${resource.kind} was not made again`,
        );
      }
      await scene.quiet();
      expect((await shop.app())?.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    },
    TEST_MS,
  );

  test(
    'a Deployment removed by hand comes back with what was found good last, not with what was rejected',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      await scene.takenBack('2');
      await remove(cluster.transport, kinds.deployments, { namespace: shop.namespace, name: 'shop' });
      await until(
        async () => (await podsOf(shop, '1')).length === 2 && (await shop.deployment()),
        'it did not come back',
      );
      await shop.settles('1', 'ReleaseRejected');
      expect(await podsOf(shop, '2')).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'a release that is forgotten while a candidate is held is remembered from what runs, and serves after a rollback',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      scene.find('2', { canary: 'Pending' });
      await shop.release('2');
      await reaches(shop, 'Candidate');
      const revisions = await shop.revisions();
      const stable = revisions.find(({ metadata }) =>
        metadata.annotations?.['devshelf.dev/verdict']?.includes('released'),
      );
      const path = `/apis/apps/v1/namespaces/${shop.namespace}/controllerrevisions`;
      await api('DELETE', `${path}/${stable?.metadata.name}`);
      await until(async () => (await shop.revisions()).length === revisions.length, 'it is not remembered');
      expect(scene.operator.said.filter(({ reason }) => reason === 'ReleaseForgotten')).toHaveLength(1);
      const before = (await podsOf(shop, '1')).map(({ metadata }) => metadata.uid).sort();
      scene.find('2', { canary: 'Bad' });
      await scene.nudge();
      await shop.settles('1', 'ReleaseRejected');
      expect((await podsOf(shop, '1')).map(({ metadata }) => metadata.uid).sort()).toEqual(before);
      await scene.quiet();
    },
    TEST_MS,
  );

  test(
    'a keyring that is removed comes back with the key that callers hold',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      const dataOf = async (name: string) =>
        (await shop.list('secrets')).find(({ metadata }) => metadata.name === name) as unknown as {
          data: Record<string, string>;
        };
      const [keyring, client] = await Promise.all([dataOf('shop-api-keyring'), dataOf('shop-api-key')]);
      for (const name of ['shop-api-keyring', 'shop-api-key']) {
        await remove(cluster.transport, kinds.secrets, { namespace: shop.namespace, name });
        await until(async () => dataOf(name), `${name} was not made again`);
      }
      expect((await dataOf('shop-api-keyring')).data).toEqual(keyring.data);
      expect((await dataOf('shop-api-key')).data).toEqual(client.data);
    },
    TEST_MS,
  );

  test(
    'a status that is removed comes back',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      const before = (await shop.app())?.status;
      const path = `/apis/apps.devshelf.dev/v1alpha1/namespaces/${shop.namespace}/dashboarddeployments/shop/status`;
      // what pods answered in a trial that went well is told by nobody else
      const withoutTimes = ({ analysis: _told, ...status }: AppStatus) =>
        JSON.stringify(status).replaceAll(/\d{4}-[0-9T:.-]+Z/g, 'TIME');
      if (!before) throw new Error('there is no status');
      await patch(path, { status: null });
      await until(
        async () => {
          const { status } = (await shop.app()) ?? {};
          return status !== undefined && withoutTimes(status) === withoutTimes(before);
        },
        async () => `another status came back: ${JSON.stringify((await shop.app())?.status)}`,
      );
    },
    TEST_MS,
  );
});

describe('what is not ours', () => {
  test(
    'an object of a child’s name is left alone and named, and once it is gone the release goes on',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const path = `/api/v1/namespaces/${shop.namespace}/services`;
      const foreign = { metadata: { name: 'shop', labels: { whose: 'another-team' } }, spec: { ports: [{ port: 9 }] } };
      const made = (await api('POST', path, foreign)) as kinds.KubeObject;
      await shop.create('1');
      const said = await shop.says('NotOwned');
      const message = said.status?.conditions?.find(({ type }) => type === 'Ready')?.message;
      expect(message).toContain('Service shop exists and belongs to nobody');
      const left = (await api('GET', `${path}/shop`)) as kinds.KubeObject;
      expect(left.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
      expect(scene.operator.said.some(({ reason, type }) => reason === 'NotOwned' && type === 'Warning')).toBe(true);
      await api('DELETE', `${path}/shop`);
      await shop.settles('1');
    },
    TEST_MS,
  );

  test(
    'two kinds of one name: the second one says whose the children are',
    async () => {
      const scene = await open();
      await scene.settled('1');
      const second = new Shop(cluster, scene.shop.namespace, 'shop', 'DevShelfDeployment');
      await second.create('1');
      const said = await second.says('NotOwned');
      const message = said.status?.conditions?.find(({ type }) => type === 'Ready')?.message;
      expect(message).toContain('belongs to DashboardDeployment shop');
      await scene.quiet();
      await scene.shop.settles('1');
    },
    TEST_MS,
  );

  test(
    'a foreign Deployment is never taken over',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const labels = { app: 'other' };
      const path = `/apis/apps/v1/namespaces/${shop.namespace}/deployments`;
      const template = { metadata: { labels }, spec: { containers: [{ name: 'app', image: 'example/other:1' }] } };
      await api('POST', path, { metadata: { name: 'shop' }, spec: { selector: { matchLabels: labels }, template } });
      await shop.create('1');
      await shop.says('NotOwned');
      const left = (await api('GET', `${path}/shop`)) as kinds.KubeObject & { spec: { template: unknown } };
      expect(left.metadata.ownerReferences).toBeUndefined();
      expect(left.metadata.managedFields?.map(({ manager }) => manager)).not.toContain('devshelf-operator');
    },
    TEST_MS,
  );
});

test(
  'a Secret of a key’s name is not used, not written and named',
  async () => {
    const scene = await open();
    const { shop } = scene;
    const path = `/api/v1/namespaces/${shop.namespace}/secrets`;
    const made = (await api('POST', path, {
      metadata: { name: 'shop-api-key' },
      stringData: { key: 'mine' },
    })) as kinds.KubeObject;
    await shop.create('1');
    const said = await shop.says('NotOwned');
    expect(said.status?.conditions?.find(({ type }) => type === 'KeysCurrent')?.message).toContain(
      'Secret shop-api-key',
    );
    const left = (await api('GET', `${path}/shop-api-key`)) as kinds.KubeObject;
    expect(left.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    await api('DELETE', `${path}/shop-api-key`);
    await shop.settles('1');
  },
  TEST_MS,
);

describe('dependencies', () => {
  test(
    'a Secret, then its key, then its content is asked for by name; each time it goes on alone',
    async () => {
      const scene = await open({ database: false });
      const { shop } = scene;
      await shop.create('1');
      const message = async (reason: string) =>
        (await shop.says(reason)).status?.conditions?.find(({ type }) => type === 'DependenciesReady')?.message;
      expect(await message('SecretMissing')).toContain('Secret db does not exist');
      const secrets = `/api/v1/namespaces/${shop.namespace}/secrets`;
      await api('POST', secrets, { metadata: { name: 'db' }, stringData: { OTHER: 'x' } });
      expect(await message('SecretKeyMissing')).toContain('Secret db has no key DATABASE_URL');
      await patch(`${secrets}/db`, { stringData: { DATABASE_URL: 'mysql://db' } });
      expect(await message('InvalidDatabaseURL')).toContain('is not the URL of one PostgreSQL database');
      await patch(`${secrets}/db`, { stringData: { DATABASE_URL: 'postgresql://u:p@db:5432/shop' } });
      await shop.settles('1');
    },
    TEST_MS,
  );

  test(
    'a changed password rolls out like a new image',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      const before = (await shop.app())?.status?.rollout?.stable?.hash;
      await patch(`/api/v1/namespaces/${shop.namespace}/secrets/db`, {
        stringData: { DATABASE_URL: 'postgresql://shop:changed@db.example:5432/shop' },
      });
      await until(async () => {
        const status = (await shop.app())?.status;
        return status?.phase === 'Released' && status.rollout?.stable?.hash !== before;
      }, 'nothing was rolled out');
      // same image, same command, same database: what was migrated is migrated
      expect(jobLedger.of(shop.namespace)).toHaveLength(1);
    },
    TEST_MS,
  );
});

const ADD = { id: '20261127_add' };
const DROP = { id: '20261128_drop', takes: 'takes away column t.titulo' };
const LAST = { id: '20261129_last', takes: 'takes away table u' };

type CnpgBackup = kinds.CnpgBackup;

/** The kind as CloudNativePG serves it, as far as it is used. */
const CNPG_BACKUPS = {
  metadata: { name: 'backups.postgresql.cnpg.io' },
  spec: {
    group: 'postgresql.cnpg.io',
    names: { kind: 'Backup', plural: 'backups' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            required: ['spec'],
            properties: {
              spec: {
                type: 'object',
                required: ['cluster'],
                properties: {
                  cluster: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
                },
              },
              status: {
                type: 'object',
                properties: Object.fromEntries(
                  ['phase', 'error', 'startedAt', 'stoppedAt'].map(field => [field, { type: 'string' }]),
                ),
              },
            },
          },
        },
      },
    ],
  },
};

const NIGHTLY = {
  metadata: { name: 'dump' },
  spec: {
    schedule: '0 3 * * *',
    suspend: true,
    jobTemplate: {
      spec: {
        template: { spec: { restartPolicy: 'Never', containers: [{ name: 'dump', image: 'example/dump:1' }] } },
      },
    },
  },
};

const runs = (
  shop: Shop,
  database: LittleDatabase,
  images: Readonly<Record<string, readonly LittleMigration[]>>,
): void => {
  for (const [version, brought] of Object.entries(images))
    cluster.kubelet.behave(shop.namespace, image(version), { migration: database.runner(...brought) });
};

describe('migration', () => {
  test(
    'pods that the API server would not take are refused before the schema moves; a mended spec goes on',
    async () => {
      const { shop } = await open();
      await shop.create('1', { podTemplate: { affinity: { nodeAffinity: { nonsense: 1 } } } });
      const refused = await shop.says('ApiError');
      expect(JSON.stringify(refused.status?.conditions)).toContain('nonsense: field not declared in schema');
      expect(jobLedger.of(shop.namespace)).toEqual([]);
      await shop.patch({ podTemplate: { affinity: null } });
      await shop.settles('1');
      expect(jobLedger.of(shop.namespace)).toHaveLength(1);
    },
    TEST_MS,
  );

  test(
    'a database that is down is asked again until it answers',
    async () => {
      const scene = await open();
      const { shop } = scene;
      cluster.kubelet.behave(shop.namespace, image('1'), { migration: verdict('unreachable', [], 'refused') });
      await shop.create('1');
      await shop.says('DatabaseUnreachable', 'Migrated');
      expect((await shop.app())?.status?.conditions?.some(({ type }) => type === 'Stalled')).toBe(false);
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      scene.aheadMs = 20_000;
      await scene.nudge();
      await shop.settles('1');
      expect(jobLedger.of(shop.namespace)).toHaveLength(2);
    },
    TEST_MS,
  );

  test(
    'a failed migration refuses the release; a new token tries it again, once',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      // an image may end with anything, and list anything as migrations
      const words = 'I saw hunter2-of-another-team';
      cluster.kubelet.behave(shop.namespace, image('2'), { migration: verdict('failed', [words], words) });
      await shop.release('2');
      const refused = await shop.settles('1', 'ReleaseRejected');
      expect(refused.status?.rollout?.rejected).toMatchObject({ image: image('2'), reason: 'JobFailed' });
      expect(refused.status?.rollout?.rejected?.evidence).toContain('says "failed"; kubectl logs job/');
      const written = [refused, await shop.revisions(), await shop.list('batch/v1/jobs')];
      expect(JSON.stringify(written)).not.toContain('hunter2');
      expect(await podsOf(shop, '2')).toEqual([]);
      cluster.kubelet.behave(shop.namespace, image('2'), {});
      await scene.nudge();
      await scene.quiet();
      await shop.settles('1', 'ReleaseRejected');
      await shop.patch({ rollout: { retryToken: 'again' } });
      await shop.settles('2');
      expect(jobLedger.of(shop.namespace)).toHaveLength(3);
    },
    TEST_MS,
  );

  test(
    'an image that cannot be pulled is told with the kubelet’s words, and a mended spec goes on',
    async () => {
      const scene = await open();
      const { shop } = scene;
      cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'cannotPull' });
      await shop.create('1');
      await shop.says('PodStarting', 'Migrated');
      scene.aheadMs = 130_000;
      await scene.nudge();
      await until(async () => {
        const told = await shop.says('PodCannotStart');
        return told.status?.conditions?.some(
          ({ type, message }) => type === 'Ready' && message.includes('ImagePullBackOff'),
        );
      }, 'the kubelet’s words are not told');
      await shop.release('2');
      await shop.settles('2');
      expect((await shop.list('batch/v1/jobs')).map(({ metadata }) => metadata.labels?.[LABELS.release])).toHaveLength(
        1,
      );
    },
    TEST_MS,
  );

  test(
    'what takes something away waits for the end of the bake, and for who agrees to it',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const database = new LittleDatabase();
      runs(shop, database, { '1': [ADD], '2': [ADD, DROP] });
      await scene.settled('1');
      await shop.release('2');
      await shop.settles('2');
      const waits = await shop.says('ContractWithheld', 'Migrated');
      expect(waits.status?.migration?.withheld).toEqual([{ id: DROP.id, what: DROP.takes }]);
      expect(database.applied).toEqual([ADD.id]);
      await shop.patch({ migrations: { contract: { allow: [DROP.id], backup: { cronJob: 'dump' } } } });
      const held = await shop.says('BackupFailed', 'Migrated');
      const told = (type: string) => held.status?.conditions?.find(condition => condition.type === type);
      expect(told('Migrated')).toMatchObject({ status: 'False', message: expect.stringMatching(/no CronJob dump/) });
      expect(told('Ready')).toMatchObject({ status: 'True' });
      expect([told('ChildrenApplied'), told('Stalled')]).toEqual([undefined, undefined]);
      await cluster.api.request('POST', `/apis/batch/v1/namespaces/${shop.namespace}/cronjobs`, NIGHTLY);
      await scene.nudge();
      await until(() => Promise.resolve(database.applied.includes(DROP.id)), 'nothing was taken away');
      const done = await shop.says('UpToDate', 'Migrated');
      expect(done.status?.migration).toMatchObject({
        contracted: [DROP.id],
        backup: expect.stringMatching(/^shop-backup-/),
      });
      expect(done.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
      await scene.quiet();
      expect(jobLedger.of(shop.namespace)).toHaveLength(4);
      // who does not know of it does not come back by itself
      await shop.release('1');
      await shop.settles('2', 'BehindContract');
    },
    TEST_MS,
  );

  test(
    'before something is taken away, CloudNativePG backs up the cluster that the spec names',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const { api } = cluster;
      const database = new LittleDatabase();
      runs(shop, database, { '1': [ADD], '2': [ADD, DROP] });
      await scene.settled('1');
      await shop.patch({ migrations: { contract: { allow: [DROP.id], backup: { cnpgCluster: 'shop-db' } } } });
      await shop.release('2');
      const held = await shop.says('BackupFailed', 'Migrated');
      expect(JSON.stringify(held.status?.conditions)).toContain('install CloudNativePG, or name a cronJob instead');
      await api.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', CNPG_BACKUPS);
      const path = `/apis/postgresql.cnpg.io/v1/namespaces/${shop.namespace}/backups`;
      const made = async () => ((await api.request('GET', path)) as { items: CnpgBackup[] }).items;
      const one = async (): Promise<CnpgBackup> => {
        await until(async () => {
          await scene.nudge();
          return (await made().catch(() => [])).length === 1;
        }, 'no Backup is made');
        return (await made())[0] as CnpgBackup;
      };
      const first = await one();
      expect(first).toMatchObject({ kind: 'Backup', spec: { cluster: { name: 'shop-db' } } });
      const becomes = ({ metadata: { name } }: CnpgBackup, status: object) =>
        cluster.transport.request({
          method: 'PATCH',
          path: `${path}/${name}/status`,
          contentType: 'application/merge-patch+json',
          body: { status },
        });
      await becomes(first, { phase: 'running' });
      await scene.nudge();
      await shop.says('BackingUp', 'Migrated');
      expect(database.applied).toEqual([ADD.id]);
      await becomes(first, { phase: 'failed', error: 'no room at s3://key:hunter2@store' });
      await scene.nudge();
      const failed = JSON.stringify((await shop.says('BackupFailed', 'Migrated')).status?.conditions);
      expect(failed).toContain(`the backup by Backup ${first.metadata.name} failed (failed: no room at`);
      expect(failed).not.toContain('hunter2');
      await shop.patch({ rollout: { retryToken: 'there-is-room' } });
      await until(
        async () => {
          await scene.nudge();
          return (await made()).some(({ metadata }) => metadata.uid !== first.metadata.uid);
        },
        'no other one',
        60_000,
      );
      const second = await one();
      await becomes(second, { phase: 'completed', stoppedAt: new Date(Date.now() + 1_000).toISOString() });
      await scene.nudge();
      await until(() => Promise.resolve(database.applied.includes(DROP.id)), 'nothing was taken away');
      const said = await shop.says('UpToDate', 'Migrated');
      expect(said.status?.migration).toMatchObject({ contracted: [DROP.id], backup: second.metadata.name });
      await scene.quiet();
    },
    TEST_MS,
  );

  test(
    'a bad release behind the fence stays until one comes that mends it; one that is proven is taken back',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const database = new LittleDatabase();
      runs(shop, database, { '1': [ADD], '2': [ADD, DROP], '3': [ADD, DROP], '4': [ADD, DROP, LAST] });
      scene.find('2', { stable: 'unknown' });
      const watched = (bakeSeconds: number) => ({ ...QUICK, bakeSeconds });
      await scene.settled('1');
      const contract = { allow: [DROP.id, LAST.id], when: 'BeforeRollout', backup: { cronJob: 'dump' } };
      await shop.patch({ image: image('2'), migrations: { contract }, rollout: watched(600) });
      await shop.says('BackupFailed', 'Stalled');
      const waits = await shop.says('BackupFailed', 'Migrated');
      expect(waits.status?.conditions?.map(({ type }) => type)).not.toContain('ChildrenApplied');
      expect(database.applied).toEqual([ADD.id]);
      await cluster.api.request('POST', `/apis/batch/v1/namespaces/${shop.namespace}/cronjobs`, NIGHTLY);
      await scene.nudge();
      await shop.settles('2', 'Baking');
      expect(database.applied).toEqual([ADD.id, DROP.id]);
      scene.find('2', { stable: 'unknown', bake: 'Bad' });
      await scene.nudge();
      const fenced = await shop.settles('2', 'RollbackFenced');
      expect(JSON.stringify(fenced.status?.conditions)).toContain(`${DROP.id}`);
      await shop.release('3');
      await shop.settles('3', 'Baking');
      await shop.patch({ rollout: watched(0) });
      await shop.settles('3');
      await shop.patch({ image: image('4'), rollout: watched(600) });
      await shop.settles('4', 'Baking');
      scene.find('4', { bake: 'Bad' });
      await scene.nudge();
      const back = await shop.settles('3', 'ReleaseRejected');
      expect(back.status?.rollout?.rejected?.evidence).toContain('3 answered 71 requests on this schema');
    },
    TEST_MS,
  );

  test(
    'two resources on one database: what cannot wait waits for the other to agree, and to be at rest',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const other = new Shop(cluster, shop.namespace, 'other');
      const database = new LittleDatabase();
      runs(shop, database, { '1': [ADD], '2': [ADD, DROP], '3': [ADD, DROP] });
      scene.find('3', { canary: 'Pending' });
      await Promise.all([shop.create('1'), other.create('1')]);
      await Promise.all([shop.settles('1'), other.settles('1')]);
      const contract = { allow: [DROP.id], when: 'BeforeRollout' };
      await shop.patch({ image: image('2'), migrations: { contract }, rollout: { ...QUICK, bakeSeconds: 600 } });
      const waits = await shop.says('ContractNotAgreed', 'Migrated');
      expect(JSON.stringify(waits.status?.conditions)).toContain(
        `other uses the same database and has not agreed to ${DROP.id}`,
      );
      await other.patch({ image: image('3'), migrations: { contract: { allow: [DROP.id] } } });
      await shop.says('QueuedBehind', 'Migrated');
      await other.says('ContractWithheld', 'Migrated');
      expect(database.applied).toEqual([ADD.id]);
      scene.find('3', { canary: 'Good' });
      scene.find('2', { stable: 'unknown' });
      await other.settles('3');
      await shop.settles('2', 'Baking');
      expect(database.applied).toEqual([ADD.id, DROP.id]);
      // it is gone for both: no release of the other comes back onto it either, nor ours by itself
      await other.release('1');
      await other.settles('3', 'BehindContract');
      scene.find('2', { stable: 'unknown', bake: 'Bad' });
      await scene.nudge();
      await shop.settles('2', 'RollbackFenced');
    },
    TEST_MS,
  );

  test(
    'what a rejected release added is undone when nothing is lost by it',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const database = new LittleDatabase();
      database.lost.set(LAST.id, 'table n: 7 rows');
      runs(shop, database, { '1': [], '2': [ADD], '3': [{ id: LAST.id }] });
      for (const version of ['2', '3']) scene.find(version, { canary: 'Bad' });
      await scene.settled('1', { migrations: { downOnRollback: 'IfSafe' } });
      await shop.release('2');
      await shop.settles('1', 'ReleaseRejected');
      await scene.quiet();
      expect(database.applied).toEqual([]);
      await shop.release('3');
      await shop.settles('1', 'ReleaseRejected');
      await scene.quiet();
      expect(database.applied).toEqual([LAST.id]);
      const revisions = await shop.revisions();
      const undone = revisions.map(({ metadata }) => metadata.annotations?.['devshelf.dev/downgrade'] ?? '');
      expect(undone.filter(text => text !== '').map(text => JSON.parse(text))).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ result: 'Reverted', reverted: [ADD.id] }),
          expect.objectContaining({ result: 'Kept', why: 'table n: 7 rows would be lost' }),
        ]),
      );
    },
    TEST_MS,
  );

  test(
    'gone back, undone by hand, and forward again with the same image: migrated anew; the way back asks nobody',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const database = new LittleDatabase();
      runs(shop, database, { '1': [], '2': [ADD] });
      await scene.settled('1');
      for (const [version, jobs] of [
        ['2', 2],
        ['1', 2],
        ['2', 3],
      ] as const) {
        await shop.release(version);
        await shop.settles(version);
        await scene.quiet();
        expect(jobLedger.of(shop.namespace)).toHaveLength(jobs);
        expect(database.applied).toEqual(version === '2' ? [ADD.id] : []);
        if (version === '2') database.applied.pop();
      }
    },
    TEST_MS,
  );

  test(
    'two resources with one database: one migration at a time',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const other = new Shop(cluster, shop.namespace, 'other');
      cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'hangs' });
      await Promise.all([shop.create('1'), other.create('1')]);
      const queued = await Promise.any([
        shop.says('QueuedBehind', 'Migrated').then(() => shop),
        other.says('QueuedBehind', 'Migrated').then(() => other),
      ]);
      await pause(1_500);
      expect(jobLedger.of(shop.namespace)).toHaveLength(1);
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      await (queued === shop ? other : shop).settles('1');
      await queued.settles('1');
      expect(jobLedger.of(shop.namespace)).toHaveLength(2);
    },
    TEST_MS,
  );

  test.each([
    ['one database of the world', 'db.example'],
    ['one name for two databases', 'db'],
  ])(
    'two watched namespaces, %s: nobody waits for the other, or is told of it',
    async (_what, host) => {
      const shops = ['a', 'b'].map(name => new Shop(cluster, `two-${host.replace('.', '-')}-${name}`));
      const [first, second] = shops as [Shop, Shop];
      for (const shop of shops) {
        await shop.open({ database: false });
        await shop.addDatabase(`postgresql://shop:secret@${host}:5432/shop`);
        cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'hangs' });
      }
      const operator = await startOperator({
        transport: await cluster.connect(),
        namespaces: shops.map(({ namespace }) => namespace),
        script: new Map(),
      });
      const jobs = () => shops.flatMap(shop => jobLedger.of(shop.namespace)).length;
      try {
        await first.create('1');
        await first.says('Running', 'Migrated');
        await second.create('1');
        const said = await second.says('Running', 'Migrated');
        expect(jobs()).toBe(2);
        expect(JSON.stringify(said.status)).not.toContain(first.namespace);
        for (const shop of shops) cluster.kubelet.behave(shop.namespace, image('1'), {});
        await Promise.all(shops.map(shop => shop.settles('1')));
        expect(jobs()).toBe(2);
      } finally {
        await operator.stop();
      }
    },
    TEST_MS,
  );

  test(
    'an image that cannot be pulled until the deadline of its Job is not rejected for it, and goes on when it can',
    async () => {
      const scene = await open();
      const { shop } = scene;
      cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'cannotPull' });
      await shop.create('1', { migrations: { activeDeadlineSeconds: 2 } });
      await shop.says('PodStarting', 'Migrated');
      scene.aheadMs = 130_000;
      await until(
        async () => {
          await scene.nudge();
          return jobLedger.of(shop.namespace).length === 2;
        },
        async () => `no other Job is made: ${JSON.stringify((await shop.app())?.status)}`,
      );
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      await shop.patch({ migrations: { activeDeadlineSeconds: 60 } });
      await shop.settles('1');
    },
    TEST_MS,
  );

  test.each([
    ['evicted', 'eviction', 1],
    ['deleted by a person', '', 2],
  ])(
    'a pod that is %s in the middle of its migration is no fault of the release',
    async (_how, subresource, jobs) => {
      const scene = await open();
      const { shop } = scene;
      const path = `/api/v1/namespaces/${shop.namespace}/pods`;
      const running = async (but = '') =>
        ((await shop.list('pods')) as PodLike[]).find(
          ({ metadata, status }) =>
            metadata.labels?.[LABELS.migration] !== undefined && metadata.uid !== but && status?.phase === 'Running',
        );
      cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'hangs' });
      await shop.create('1');
      const first = await until(running, 'no migration runs');
      const { name, uid, namespace } = first.metadata;
      if (subresource === '') await api('DELETE', `${path}/${name}`);
      else
        await api('POST', `${path}/${name}/${subresource}`, {
          ...{ apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace } },
        });
      scene.aheadMs = 15_000;
      await until(async () => {
        await scene.nudge();
        return running(uid);
      }, 'no other pod goes on');
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      await shop.settles('1');
      expect(jobLedger.of(shop.namespace)).toHaveLength(jobs);
    },
    TEST_MS,
  );

  test(
    'specs that come and go while a migration runs are skipped: it ends, and the newest is migrated',
    async () => {
      const scene = await open();
      const { shop } = scene;
      const database = new LittleDatabase();
      await scene.settled('1');
      runs(shop, database, { '3': [{ id: '20261127_never' }], '4': [ADD] });
      cluster.kubelet.behave(shop.namespace, image('2'), { migration: 'hangs' });
      await shop.release('2');
      await shop.says('Running', 'Migrated');
      await shop.release('3');
      await shop.says('Running', 'Migrated');
      await shop.release('4');
      cluster.kubelet.behave(shop.namespace, image('2'), {});
      await shop.settles('4');
      expect(database.applied).toEqual([ADD.id]);
      expect(jobLedger.of(shop.namespace)).toHaveLength(3);
    },
    TEST_MS,
  );

  test(
    'a verdict that went with its pod is asked for again, not guessed',
    async () => {
      const scene = await open();
      const { shop } = scene;
      cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'hangs' });
      await shop.create('1');
      await shop.says('Running', 'Migrated');
      await scene.stop();
      cluster.kubelet.behave(shop.namespace, image('1'), {});
      await until(async () => {
        const [job] = (await shop.list('batch/v1/jobs')) as (kinds.KubeObject & { status?: { succeeded?: number } })[];
        return job?.status?.succeeded === 1;
      }, 'the Job did not end');
      for (const { metadata } of await shop.list('pods')) {
        await api('DELETE', `/api/v1/namespaces/${shop.namespace}/pods/${metadata.name}?gracePeriodSeconds=0`);
      }
      scene.aheadMs = 15_000;
      await scene.start();
      await shop.settles('1');
      expect(jobLedger.of(shop.namespace)).toHaveLength(2);
    },
    TEST_MS,
  );
});

describe('releases', () => {
  test(
    'one that cannot start is refused in its rehearsal: no pod of it ever serves',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      cluster.kubelet.behave(shop.namespace, image('2'), { serving: 'crashes' });
      await shop.release('2');
      const refused = await shop.settles('1', 'ReleaseRejected');
      expect(refused.status?.rollout?.rejected?.evidence).toContain('does not start: exit code 1; kubectl logs');
      expect(await podsOf(shop, '2')).toEqual([]);
      scene.aheadMs = 601_000;
      await scene.nudge();
      await until(async () => {
        const pods = await shop.list('pods');
        return pods.every(({ metadata }) => metadata.labels?.[LABELS.component] !== 'rehearsal');
      }, 'the rehearsal pod is left');
    },
    TEST_MS,
  );

  test(
    'one that fails a smoke test is asked twice, then refused',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      scene.find('2', { rehearsal: { passed: false, message: 'GET /health: 500 instead of 200' } });
      await shop.release('2');
      await until(
        async () => scene.writes.filter(write => write.includes('controllerrevisions')).length > 0,
        'it was not asked',
      );
      await shop.says('RehearsalRunning');
      scene.aheadMs = 11_000;
      await scene.nudge();
      const refused = await shop.settles('1', 'ReleaseRejected');
      expect(refused.status?.rollout?.rejected).toMatchObject({ reason: 'SmokeTestFailed' });
    },
    TEST_MS,
  );

  test(
    'one that turns bad after its promotion is taken back everywhere',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1', { replicas: 3 });
      await shop.patch({ rollout: { bakeSeconds: 600 } });
      await shop.release('2', 'kubectl-edit');
      await reaches(shop, 'Baking');
      scene.find('2', { bake: 'Bad' });
      await scene.nudge();
      const back = await shop.settles('1', 'ReleaseRejected');
      expect(back.status?.incidents).toMatchObject([{ failedImage: image('2'), restoredImage: image('1') }]);
      const [record, ...more] = await shop.incidents();
      expect(more).toEqual([]);
      expect(back.status?.incidents?.[0]?.record).toBe(record?.metadata.name);
      expect(record).toMatchObject({
        data: { incident: { reason: 'Regression', phase: 'Baking', failed: { image: image('2'), attempt: 1 } } },
      });
      expect(record).toMatchObject({ data: { incident: { requestedBy: { who: 'spec', by: 'kubectl-edit' } } } });
      expect(scene.operator.said.map(({ note }) => note)).toContain('2 is a new release (asked for by kubectl-edit)');
      await until(async () => (await podsOf(shop, '2')).length === 0, 'pods of it are left');
      const warnings = scene.operator.said.filter(({ type }) => type === 'Warning');
      expect(warnings).toMatchObject([
        { reason: 'RolledBack', annotations: { 'devshelf.dev/record': record?.metadata.name } },
      ]);
      const metrics = await scene.operator.metrics();
      expect(metrics).toContain('devshelf_operator_rollbacks_total{kind="DashboardDeployment",reason="Regression"} 1');
      expect(metrics).toContain('devshelf_operator_rollback_actuation_seconds_count 1');
      const decisions = [...metrics.matchAll(/decisions_total\{[^}]*decision="([^"]+)",reason="([^"]+)"\} [1-9]/g)];
      expect(decisions.map(([line, ...words]) => `${words.join(' ')} ${line.at(-1)}`).sort()).toEqual([
        'candidate CandidateStarting 1',
        'promoted AnalysisPassed 1',
        'released Released 1',
        'rolled-back Regression 1',
      ]);
      // whoever scrapes now for the first time is told of all of them, by whichever operator
      const told = await lastDecisions(scene);
      expect(told.map(line => line.replace(/.*decision="([^"]+)",version="([^"]+)".*/, '$1 $2'))).toEqual([
        ...['candidate 2', 'promoted 2', 'released 1', 'rolled-back 2'],
      ]);
      await scene.restart();
      await until(async () => (await lastDecisions(scene)).length > 0, 'it has not come to the resource');
      expect(await lastDecisions(scene)).toEqual(told);
    },
    TEST_MS,
  );

  test(
    'a first one that is bad changes nothing, and a newer one takes its place',
    async () => {
      const scene = await open();
      const { shop } = scene;
      scene.find('1', { bake: 'Bad' });
      await shop.create('1');
      await shop.says('FirstReleaseFailed');
      await shop.release('2');
      await shop.settles('2');
    },
    TEST_MS,
  );

  test(
    'a newer spec while a candidate is held: that one leaves first, those between are skipped',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      scene.find('2', { canary: 'Pending' });
      await shop.release('2');
      await shop.says('Analysing', 'AnalysisPassed');
      await shop.release('3');
      await shop.release('4');
      await shop.settles('4');
      const verdicts = (await shop.revisions()).map(({ metadata }) => {
        const text = metadata.annotations?.['devshelf.dev/verdict'];
        return text === undefined ? 'none' : (JSON.parse(text) as { verdict: string }).verdict;
      });
      expect(verdicts.filter(word => word === 'superseded')).toHaveLength(1);
      expect(verdicts).not.toContain('rejected');
      expect((await shop.app())?.status?.incidents).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'the spec goes back to stable while a candidate is held',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      scene.find('2', { canary: 'Pending' });
      await shop.release('2');
      await shop.says('Analysing', 'AnalysisPassed');
      const serving = (await podsOf(shop, '1')).map(({ metadata }) => metadata.uid).sort();
      await shop.release('1');
      await shop.settles('1');
      expect((await podsOf(shop, '1')).map(({ metadata }) => metadata.uid).sort()).toEqual(serving);
      expect(await podsOf(shop, '2')).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'a newer spec while a release is being promoted waits for its end',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1', { replicas: 3 });
      await shop.patch({ rollout: { minReadySeconds: 1 } });
      await shop.release('2');
      await reaches(shop, 'Promoting');
      await shop.release('3');
      await shop.settles('3');
      const released = (await shop.revisions()).filter(({ metadata }) =>
        metadata.annotations?.['devshelf.dev/verdict']?.includes('"released"'),
      );
      expect(released).toHaveLength(3);
    },
    TEST_MS,
  );

  test(
    'the operator is restarted while a candidate is held: it is the same candidate',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      scene.find('2', { canary: 'Pending' });
      await shop.release('2');
      await shop.says('Analysing', 'AnalysisPassed');
      const before = (await podsOf(shop, '2')).map(({ metadata }) => metadata.uid);
      await scene.restart();
      await scene.quiet();
      expect((await podsOf(shop, '2')).map(({ metadata }) => metadata.uid)).toEqual(before);
      scene.find('2', { canary: 'Good' });
      await scene.nudge();
      await shop.settles('2');
    },
    TEST_MS,
  );

  test(
    'a rejected one stays rejected however often it is applied, until the token is new',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      await scene.takenBack('2');
      await scene.quiet();
      const records = async () => (await shop.deployment())?.metadata.generation;
      const before = await records();
      for (let again = 0; again < 5; again += 1) await shop.patch({ image: image('2') });
      await scene.restart();
      await scene.quiet();
      expect(await records()).toBe(before);
      scene.find('2', {});
      await shop.patch({ rollout: { retryToken: 'fixed-the-database' } });
      await shop.settles('2');
    },
    TEST_MS,
  );
});

describe('pause', () => {
  test(
    'nothing new begins, and a regression is still taken back',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      await shop.patch({ paused: true, image: image('2') });
      await shop.says('Paused');
      await scene.quiet();
      expect(await shop.revisions()).toHaveLength(1);
      scene.find('2', { canary: 'Pending' });
      await shop.patch({ paused: false });
      await shop.says('Analysing', 'AnalysisPassed');
      await shop.patch({ paused: true });
      await shop.says('Paused');
      expect(await phaseOf(shop)).toBe('Candidate');
      scene.find('2', { canary: 'Bad' });
      await scene.nudge();
      await until(async () => (await podsOf(shop, '2')).length === 0, 'the bad candidate still serves');
      await reaches(shop, 'Settled');
    },
    TEST_MS,
  );
});

describe('replicas', () => {
  const owners = async (shop: Shop): Promise<string[]> => {
    const { metadata } = (await shop.deployment()) ?? {};
    const fields = metadata?.managedFields?.filter(
      ({ fieldsV1 }) => 'f:replicas' in ((fieldsV1 as Fields)['f:spec'] ?? {}),
    );
    return (fields ?? []).map(({ manager }) => manager ?? '');
  };
  type Fields = { 'f:spec'?: Record<string, unknown> };

  test(
    'belong to the spec, then to the autoscaler, then to the spec again, and never fall to one between',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1', { replicas: 3 });
      const path = kinds.pathOf(kinds.deployments, { namespace: shop.namespace, name: 'shop' });
      const seenReplicas = new Set<number | undefined>();
      const count = async () => {
        const replicas = (await shop.deployment())?.spec?.replicas;
        seenReplicas.add(replicas);
        return replicas;
      };
      await shop.patch({ autoscaling: { minReplicas: 2, maxReplicas: 6 } });
      await until(async () => (await shop.list('autoscaling/v2/horizontalpodautoscalers')).length === 1, 'no HPA');
      await scene.quiet();
      expect(await count()).toBe(3);
      // as an autoscaler does it
      await patch(`${path}/scale`, { spec: { replicas: 5 } });
      await scene.quiet();
      expect(await count()).toBe(5);
      await shop.patch({ autoscaling: null, replicas: 4 });
      await until(async () => (await count()) === 4, 'the spec has no say in the replicas');
      await until(
        async () => (await shop.list('autoscaling/v2/horizontalpodautoscalers')).length === 0,
        'the HPA stays',
      );
      await scene.quiet();
      expect(await count()).toBe(4);
      expect([...seenReplicas].sort()).toEqual([3, 4, 5]);
      expect(await owners(shop)).toContain('devshelf-operator-replicas');
    },
    TEST_MS,
  );

  test(
    'with a service scaled to zero a new release waits: nothing is proven by nothing',
    async () => {
      const scene = await open();
      const { shop } = scene;
      await scene.settled('1');
      await shop.patch({ replicas: 0 });
      await until(async () => (await podsOf(shop, '1')).length === 0, 'pods are left');
      scene.find('2', { canary: 'Blind', bake: 'Blind' });
      await shop.release('2');
      await shop.says('ScaledToZero');
      await scene.quiet();
      expect((await shop.app())?.status?.currentImage).toBe(image('1'));
      scene.find('2', {});
      await shop.patch({ replicas: 2 });
      await shop.settles('2');
    },
    TEST_MS,
  );
});

describe('deletion', () => {
  const CHILDREN = [
    ...['pods', 'services', 'serviceaccounts', 'apps/v1/deployments', 'apps/v1/replicasets'],
    ...['apps/v1/controllerrevisions', 'batch/v1/jobs', 'policy/v1/poddisruptionbudgets'],
    ...['networking.k8s.io/v1/networkpolicies'],
  ];

  const left = async (shop: Shop): Promise<string[]> => {
    const lists = await Promise.all(CHILDREN.map(kind => shop.list(kind)));
    return lists.flat().map(({ kind, metadata }) => `${kind ?? ''} ${metadata.name}`);
  };

  const stages: readonly [string, (scene: Scene) => Promise<void>][] = [
    [
      'while the migration runs',
      async ({ shop }) => {
        cluster.kubelet.behave(shop.namespace, image('1'), { migration: 'hangs' });
        await shop.create('1');
        await shop.says('Running', 'Migrated');
      },
    ],
    [
      'while the first install starts',
      async ({ shop }) => {
        cluster.kubelet.behave(shop.namespace, image('1'), { serving: 'neverReady' });
        await shop.create('1');
        await reaches(shop, 'Installing');
      },
    ],
    [
      'during a rehearsal',
      async scene => {
        await scene.settled('1');
        cluster.kubelet.behave(scene.shop.namespace, image('2'), { serving: 'neverReady' });
        await scene.shop.release('2');
        await scene.shop.says('RehearsalRunning');
      },
    ],
    [
      'while a candidate is held',
      async scene => {
        await scene.settled('1');
        scene.find('2', { canary: 'Pending' });
        await scene.shop.release('2');
        await scene.shop.says('Analysing', 'AnalysisPassed');
      },
    ],
    [
      'while it is watched',
      async scene => {
        await scene.settled('1');
        await scene.shop.patch({ rollout: { bakeSeconds: 600 } });
        await scene.shop.release('2');
        await reaches(scene.shop, 'Baking');
      },
    ],
    [
      'at rest',
      async scene => {
        await scene.settled('1');
      },
    ],
  ];

  test.each(stages)(
    '%s: children go, Jobs are not left running, the database’s Secret stays',
    async (_when, arrive) => {
      const scene = await open();
      await arrive(scene);
      await scene.shop.delete();
      await until(
        async () => (await left(scene.shop)).length === 0,
        async () => `left: ${(await left(scene.shop)).join(', ')}`,
      );
      await scene.quiet();
      expect(await left(scene.shop)).toEqual([]);
      expect((await scene.shop.list('secrets')).map(({ metadata }) => metadata.name)).toEqual(['db']);
    },
    TEST_MS,
  );

  test(
    'in the foreground: nothing is made again while the children go',
    async () => {
      const scene = await open();
      await scene.settled('1');
      const before = scene.writes.length;
      await scene.shop.delete('Foreground');
      await until(async () => (await scene.shop.app()) === undefined, 'it is still there');
      expect(await left(scene.shop)).toEqual([]);
      const written = scene.writes.slice(before).filter(write => !write.endsWith('/status'));
      expect(written).toEqual([]);
    },
    TEST_MS,
  );

  test(
    'one of the same name made at once starts anew and gets there',
    async () => {
      const scene = await open();
      await scene.settled('1');
      await scene.shop.delete();
      await scene.shop.create('2');
      await scene.shop.settles('2', 'AsExpected', 50_000);
      const revisions = await scene.shop.revisions();
      await until(async () => (await scene.shop.revisions()).length === 1, JSON.stringify(revisions));
    },
    TEST_MS,
  );
});

describe('the other kind', () => {
  test(
    'DevShelf comes with its worker, which follows the stable release only',
    async () => {
      const scene = await open();
      await scene.shop.addDatabase('redis://cache:6379', 'cache');
      const shop = new Shop(cluster, scene.shop.namespace, 'shelf', 'DevShelfDeployment');
      await shop.create('1', { redis: { urlSecretRef: { name: 'cache', key: 'DATABASE_URL' } } });
      await shop.settles('1');
      const workerImage = async () => {
        const all = (await shop.list('apps/v1/deployments')) as (kinds.KubeObject & { spec: { template: PodLike } })[];
        return all.find(({ metadata }) => metadata.name === 'shelf-worker')?.spec.template.spec?.containers?.[0]?.image;
      };
      expect(await workerImage()).toBe(image('1'));
      scene.find('2', { canary: 'Pending' });
      await shop.release('2');
      await shop.says('Analysing', 'AnalysisPassed');
      expect(await workerImage()).toBe(image('1'));
      scene.find('2', {});
      await shop.annotate({ 'example.com/nudge': 'now' });
      await shop.settles('2');
      expect(await workerImage()).toBe(image('2'));
    },
    TEST_MS,
  );
});
