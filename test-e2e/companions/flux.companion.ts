// A story by commits: Flux applies what Git has, the operator decides, and neither fights the other. A real API server
// with real controllers; pods and evidence are played. What docs/how-to/gitops.md says of Flux is said here.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { fromDocs } from '../../charts/gitops/examples.ts';
import { API_VERSION } from '../../operator/src/api/group.ts';
import { type LittleCluster, startLittleCluster } from '../../operator/src/controller/testing/little-cluster.ts';
import { Scene } from '../../operator/src/controller/testing/scene.ts';
import { image, type LiveApp, QUICK, until } from '../../operator/src/controller/testing/shop.ts';
import { temporaryFolder } from '../../services/common/testing/processes.ts';
import { ensureBinaries } from '../cluster/binaries.ts';
import { bundleCli } from '../cluster/build.ts';
import { FLUX_NAMESPACE, type Flux, startFlux } from './flux.ts';
import { GitHost, type GitRepository } from './git.ts';

const MINUTE = 60_000;
const TEST_MS = 5 * MINUTE;
/** Flux looks at what it waits for every five seconds; the rest is for a busy machine. */
const FLUX_MS = 2 * MINUTE;
const CRDS = join(import.meta.dirname, '../crds');
const GIT_REPOSITORIES = `/apis/source.toolkit.fluxcd.io/v1/namespaces/${FLUX_NAMESPACE}/gitrepositories`;
const KUSTOMIZATIONS = `/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/${FLUX_NAMESPACE}/kustomizations`;
const REQUESTED_AT = 'reconcile.fluxcd.io/requestedAt';
const HEALTH_OF_KUSTOMIZATION = /^health check failed after .+: failed early due to stalled resources: \[(.+)\]$/;

interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

interface FluxObject {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<string, unknown>>;
  readonly status?: {
    readonly conditions?: readonly Condition[];
    readonly artifact?: { readonly revision: string };
    readonly lastAppliedRevision?: string;
    readonly lastAttemptedRevision?: string;
    readonly lastHandledReconcileAt?: string;
  };
}

const example = fromDocs<FluxObject>('kind: Kustomization');
const { healthCheckExprs } = fromDocs<{ healthCheckExprs: unknown }>('healthCheckExprs:');

/** What a Kustomization waits by. */
const WAITS = {
  byName: (namespace: string) => ({
    healthChecks: [{ apiVersion: API_VERSION, kind: 'DashboardDeployment', name: 'shop', namespace }],
  }),
  byWait: () => ({ healthChecks: undefined, wait: true }),
  byExpressions: (namespace: string) => ({ ...WAITS.byName(namespace), healthCheckExprs }),
};

const folder = temporaryFolder('devshelf-flux-');
const program = join(folder.path, 'kubectl-devshelf');
const git = new GitHost();
let cluster: LittleCluster;
let flux: Flux;
let opened: Delivery[] = [];
let count = 0;

beforeAll(
  async () => {
    await ensureBinaries('source-controller', 'kustomize-controller');
    await bundleCli(program);
    await git.listen();
    cluster = await startLittleCluster();
    for (const crds of ['flux-source', 'flux-kustomize']) await cluster.api.installCrds(join(CRDS, crds));
    await cluster.api.request('POST', '/api/v1/namespaces', { metadata: { name: FLUX_NAMESPACE } });
    flux = await startFlux(cluster.api);
  },
  90 * MINUTE, // the first time Flux is built
);

afterEach(async () => {
  await Promise.all(opened.map(delivery => delivery.end()));
  opened = [];
});

afterAll(async () => {
  await flux?.stop();
  await cluster?.stop();
  await git.end();
  folder.remove();
}, MINUTE);

const patch = (path: string, body: object, fieldManager = 'a-person'): Promise<unknown> =>
  cluster.transport.request({
    method: 'PATCH',
    path,
    query: { fieldManager },
    contentType: 'application/merge-patch+json',
    body,
  });

/** A repository, the Kustomization that applies it, and the operator beside it. */
class Delivery {
  readonly scene: Scene;
  readonly #repository: GitRepository;
  readonly #name: string;

  static async open(waits: keyof typeof WAITS = 'byWait'): Promise<Delivery> {
    count += 1;
    const name = `delivery-${count}`;
    const delivery = new Delivery(name, await git.repository(name));
    opened.push(delivery);
    await delivery.scene.shop.open();
    await delivery.scene.start();
    await delivery.#repository.commit({ 'shop/notes.yaml': notes(name) });
    await cluster.api.request('POST', GIT_REPOSITORIES, {
      apiVersion: 'source.toolkit.fluxcd.io/v1',
      kind: 'GitRepository',
      metadata: { name },
      spec: { interval: '10m', url: delivery.#repository.url, ref: { branch: 'main' } },
    });
    await cluster.api.request('POST', KUSTOMIZATIONS, {
      ...example,
      metadata: { name, namespace: FLUX_NAMESPACE },
      spec: { ...example.spec, sourceRef: { kind: 'GitRepository', name }, ...WAITS[waits](name) },
    });
    return delivery;
  }

  private constructor(name: string, repository: GitRepository) {
    this.#name = name;
    this.#repository = repository;
    this.scene = new Scene(cluster, name);
  }

  get shop() {
    return this.scene.shop;
  }

  async app(): Promise<LiveApp> {
    const app = await this.shop.app();
    if (!app) throw new Error(`${this.#name}: the resource is gone`);
    return app;
  }

  /** Returns the revision as soon as Flux has it. */
  async commit(version: string, spec: Record<string, unknown> = {}): Promise<string> {
    return this.#fetched(
      await this.#repository.commit({
        'shop/dashboard.yaml': stringify({
          apiVersion: API_VERSION,
          kind: 'DashboardDeployment',
          metadata: { name: 'shop', namespace: this.#name },
          spec: { image: image(version), database: { urlSecretRef: { name: 'db' } }, rollout: QUICK, ...spec },
        }),
      }),
    );
  }

  async remove(): Promise<string> {
    return this.#fetched(await this.#repository.commit({ 'shop/dashboard.yaml': undefined }));
  }

  async #fetched(revision: string): Promise<string> {
    const path = `${GIT_REPOSITORIES}/${this.#name}`;
    await patch(path, { metadata: { annotations: { [REQUESTED_AT]: revision } } });
    const state = async () => (await cluster.api.request('GET', path)) as FluxObject;
    await until(
      async () => (await state()).status?.artifact?.revision === revision,
      async () => `${revision} was not fetched: ${JSON.stringify((await state()).status, null, 1)}`,
      FLUX_MS,
    );
    return revision;
  }

  async kustomization(): Promise<FluxObject> {
    return (await cluster.api.request('GET', `${KUSTOMIZATIONS}/${this.#name}`)) as FluxObject;
  }

  /** Until its condition Ready is this one, about this revision. */
  async says(status: Condition['status'], reason: string, revision: string): Promise<string> {
    let found: Condition | undefined;
    await this.#until(`Ready=${status} ${reason} of ${revision}`, ({ status: is }) => {
      found = is?.conditions?.find(({ type }) => type === 'Ready');
      const isIt = found?.status === status && found.reason === reason;
      return isIt && is?.lastAttemptedRevision === revision;
    });
    return found?.message ?? '';
  }

  async ready(revision: string): Promise<void> {
    await this.says('True', 'ReconciliationSucceeded', revision);
    // written after the condition
    await this.#until(`applied ${revision}`, ({ status }) => status?.lastAppliedRevision === revision);
  }

  /** Applied, and its health is looked at. */
  async waits(revision: string): Promise<void> {
    await this.#until(`waits for ${revision}`, ({ status }) => {
      const { conditions = [] } = status ?? {};
      const word = conditions.find(({ type }) => type === 'Reconciling')?.message ?? '';
      const healthy = conditions.find(({ type }) => type === 'Healthy');
      return word.startsWith(`Running health checks for revision ${revision} `) && healthy?.status === 'Unknown';
    });
  }

  /** `flux reconcile kustomization`: it is synced from its beginning to its end. */
  async sync(): Promise<Condition> {
    count += 1;
    const token = `sync-${count}`;
    await patch(`${KUSTOMIZATIONS}/${this.#name}`, { metadata: { annotations: { [REQUESTED_AT]: token } } });
    let found: Condition | undefined;
    await this.#until(token, ({ status }) => {
      found = status?.conditions?.find(({ type }) => type === 'Ready');
      return status?.lastHandledReconcileAt === token && found?.status !== 'Unknown';
    });
    return found as Condition;
  }

  async suspend(suspend: boolean): Promise<void> {
    await patch(`${KUSTOMIZATIONS}/${this.#name}`, { spec: { suspend } });
  }

  async #until(what: string, is: (seen: FluxObject) => boolean): Promise<void> {
    await until(
      async () => is(await this.kustomization()),
      async () => `${this.#name}: ${what}: ${JSON.stringify((await this.kustomization()).status, null, 1)}`,
      FLUX_MS,
    );
  }

  /** Of Flux, about this Kustomization. */
  async events(): Promise<{ type: string; reason: string; message: string }[]> {
    const { items } = (await cluster.api.request('GET', `/api/v1/namespaces/${FLUX_NAMESPACE}/events`)) as {
      items: { involvedObject: { name: string }; type: string; reason: string; message: string }[];
    };
    return items
      .filter(({ involvedObject: { name } }) => name === this.#name)
      .map(({ type, reason, message }) => ({ type, reason, message }));
  }

  /** The trial's figures from now on, and the operator looks. */
  async finds(version: string, findings: Parameters<Scene['find']>[1]): Promise<void> {
    this.scene.find(version, findings);
    await this.scene.nudge();
  }

  reaches(phase: string): Promise<LiveApp> {
    return until(
      async () => {
        const app = await this.app();
        return app.status?.phase === phase ? app : undefined;
      },
      async () => `${this.#name}: phase is not ${phase}: ${JSON.stringify((await this.app()).status, null, 1)}`,
    );
  }

  async verdicts(): Promise<string[]> {
    const told = (await this.shop.revisions()).map(({ metadata }) => metadata.annotations?.['devshelf.dev/verdict']);
    return told.map(text => (JSON.parse(text ?? '{}') as { verdict?: string }).verdict ?? 'none').sort();
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return cluster.api.kubectl('--namespace', this.#name, ...args);
  }

  /** `kubectl devshelf`, as people have it. */
  devshelf(...args: readonly string[]): Promise<{ code: number | string; stdout: string; stderr: string }> {
    const env = { PATH: process.env['PATH'], KUBECONFIG: cluster.api.adminKubeconfigPath, LANG: 'C' };
    return new Promise(resolve => {
      execFile(process.execPath, [program, ...args, '--namespace', this.#name], { env }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  }

  async end(): Promise<void> {
    await cluster.api.request('DELETE', `${KUSTOMIZATIONS}/${this.#name}`);
    await until(
      () =>
        this.kustomization().then(
          () => false,
          () => true,
        ),
      `${this.#name}: the Kustomization does not go`,
      FLUX_MS,
    );
    await cluster.api.request('DELETE', `${GIT_REPOSITORIES}/${this.#name}`);
    await this.scene.stop();
  }
}

/** So that the folder is there when the resource is not. */
const notes = (namespace: string): string =>
  stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'notes', namespace }, data: { by: 'ana' } });

const isIn = (is: string) => (seen: string) => seen.includes(is);

describe('a good release', () => {
  test.each(['byName', 'byWait'] as const)(
    'the Kustomization waits for its trial, and is Ready when it serves: %s',
    async waits => {
      const delivery = await Delivery.open(waits);
      await delivery.ready(await delivery.commit('1'));
      expect((await delivery.app()).status?.currentImage).toBe(image('1'));
      delivery.scene.find('2', { canary: 'Pending' });
      const revision = await delivery.commit('2');
      await delivery.waits(revision);
      await delivery.reaches('Candidate');
      expect((await delivery.app()).status?.currentImage).toBe(image('1'));
      await delivery.finds('2', { canary: 'Good' });
      await delivery.ready(revision);
      expect((await delivery.app()).status?.currentImage).toBe(image('2'));
    },
    TEST_MS,
  );

  test(
    'without expressions it is Ready while the release bakes; taken back then, the next sync says so',
    async () => {
      const delivery = await Delivery.open('byName');
      await delivery.ready(await delivery.commit('1'));
      delivery.scene.find('2', { bake: 'Pending' });
      const revision = await delivery.commit('2', { rollout: { ...QUICK, bakeSeconds: 3_600 } });
      await delivery.ready(revision);
      await delivery.shop.says('Baking');
      await delivery.finds('2', { bake: 'Bad' });
      await delivery.shop.settles('1', 'ReleaseRejected');
      await delivery.ready(revision);
      expect(await delivery.sync()).toMatchObject({ status: 'False', reason: 'HealthCheckFailed' });
      expect((await delivery.app()).status?.currentImage).toBe(image('1'));
    },
    TEST_MS,
  );

  test(
    'with the expressions of the page it waits for the end of the bake',
    async () => {
      const delivery = await Delivery.open('byExpressions');
      await delivery.ready(await delivery.commit('1'));
      delivery.scene.find('2', { bake: 'Pending' });
      const revision = await delivery.commit('2', { rollout: { ...QUICK, bakeSeconds: 3_600 } });
      await delivery.shop.says('Baking');
      await delivery.waits(revision);
      delivery.scene.aheadMs = 3_601_000;
      await delivery.finds('2', { bake: 'Good' });
      await delivery.ready(revision);
      expect((await delivery.app()).status?.phase).toBe('Released');
    },
    TEST_MS,
  );

  test(
    'what is settled is not written, however often it is synced',
    async () => {
      const delivery = await Delivery.open();
      await delivery.ready(await delivery.commit('1'));
      await delivery.scene.quiet();
      const before = await delivery.app();
      const { length } = delivery.scene.writes;
      for (let turn = 0; turn < 20; turn += 1) expect((await delivery.sync()).status).toBe('True');
      await delivery.scene.quiet();
      expect(delivery.scene.writes.slice(length)).toEqual([]);
      expect((await delivery.app()).metadata.resourceVersion).toBe(before.metadata.resourceVersion);
    },
    TEST_MS,
  );
});

describe('a bad release', () => {
  const taken = async (): Promise<{ delivery: Delivery; revision: string }> => {
    const delivery = await Delivery.open('byName');
    await delivery.ready(await delivery.commit('1'));
    delivery.scene.find('2', { canary: 'Bad' });
    const revision = await delivery.commit('2');
    const words = await delivery.says('False', 'HealthCheckFailed', revision);
    const { shop } = delivery;
    expect(HEALTH_OF_KUSTOMIZATION.exec(words)?.[1]).toBe(
      `DashboardDeployment/${shop.namespace}/shop status: 'Failed'`,
    );
    await shop.settles('1', 'ReleaseRejected');
    return { delivery, revision };
  };

  test(
    'the Kustomization fails as soon as it is taken back, and its event says which resource',
    async () => {
      const { delivery } = await taken();
      const told = await until(
        async () => (await delivery.events()).find(({ reason }) => reason === 'HealthCheckFailed'),
        'no event says it',
      );
      expect(told.type).toBe('Warning');
      expect(told.message).toContain(`DashboardDeployment/${delivery.shop.namespace}/shop status: 'Failed'`);
      expect((await delivery.devshelf('why', 'shop')).stdout).toContain('11 of 24 requests');
    },
    TEST_MS,
  );

  test(
    'a hundred syncs of the rejected spec: it stays rejected, and nobody writes',
    async () => {
      const { delivery } = await taken();
      await delivery.scene.quiet();
      const facts = async () => ({
        resource: (await delivery.app()).metadata.resourceVersion,
        deployment: (await delivery.shop.deployment())?.metadata.generation,
        pods: (await delivery.shop.list('pods')).map(({ metadata }) => metadata.uid).sort(),
        incidents: (await delivery.shop.incidents()).length,
      });
      const before = await facts();
      expect(before.incidents).toBe(1);
      const { length } = delivery.scene.writes;
      for (let turn = 0; turn < 100; turn += 1) expect((await delivery.sync()).reason).toBe('HealthCheckFailed');
      await delivery.scene.quiet();
      expect(delivery.scene.writes.slice(length)).toEqual([]);
      expect(await facts()).toEqual(before);
    },
    2 * TEST_MS,
  );

  test(
    'the earlier image, by a commit: Ready again',
    async () => {
      const { delivery } = await taken();
      await delivery.ready(await delivery.commit('1'));
      await delivery.shop.settles('1');
    },
    TEST_MS,
  );

  test(
    'another retryToken, by a commit: it is tried again',
    async () => {
      const { delivery } = await taken();
      delivery.scene.find('2', { canary: 'Good' });
      await delivery.ready(await delivery.commit('2', { rollout: { ...QUICK, retryToken: 'mended' } }));
      await delivery.shop.settles('2');
    },
    TEST_MS,
  );
});

test(
  'a candidate that is held for a person is failed, and Ready after it went on',
  async () => {
    const delivery = await Delivery.open();
    await delivery.ready(await delivery.commit('1'));
    delivery.scene.find('2', { canary: 'Insufficient' });
    const revision = await delivery.commit('2');
    await delivery.says('False', 'HealthCheckFailed', revision);
    await delivery.shop.says('InsufficientTraffic', 'Stalled');
    expect(await delivery.devshelf('promote', 'shop')).toMatchObject({ code: 0 });
    await delivery.shop.settles('2');
    expect((await delivery.sync()).status).toBe('True');
  },
  TEST_MS,
);

describe('a newer commit while one is waited for', () => {
  /** The second is on trial. */
  const followed = async (delivery: Delivery): Promise<() => Promise<string>> => {
    await delivery.ready(await delivery.commit('1'));
    delivery.scene.find('2', { canary: 'Pending' });
    await delivery.waits(await delivery.commit('2'));
    await delivery.reaches('Candidate');
    return async () => String((await delivery.app()).spec['image']);
  };

  test(
    'it waits until the trial has ended',
    async () => {
      const delivery = await Delivery.open();
      const asked = await followed(delivery);
      const newest = await delivery.commit('3');
      // it is there, and asked for once more: what comes later than both finds the spec as it was
      await patch(`${KUSTOMIZATIONS}/${delivery.shop.namespace}`, {
        metadata: { annotations: { [REQUESTED_AT]: 'x' } },
      });
      await delivery.scene.quiet();
      expect(await asked()).toBe(image('2'));
      await delivery.finds('2', { canary: 'Good' });
      await delivery.shop.settles('2');
      await delivery.ready(newest);
      await delivery.shop.settles('3');
      expect(await delivery.verdicts()).toEqual(['released', 'released', 'released']);
    },
    TEST_MS,
  );

  test(
    'with CancelHealthCheckOnNewRevision it ends the waiting, and the trial',
    async () => {
      await flux.restart('CancelHealthCheckOnNewRevision=true');
      try {
        const delivery = await Delivery.open();
        await followed(delivery);
        const newest = await delivery.commit('3');
        await delivery.ready(newest);
        await delivery.shop.settles('3');
        expect(flux.log().split('\n').filter(isIn('canceling health checks'))).toHaveLength(1);
        expect(await delivery.verdicts()).toEqual(['released', 'released', 'superseded']);
      } finally {
        await flux.restart();
      }
    },
    TEST_MS,
  );
});

describe('what others than Git write', () => {
  const settled = async (spec: Record<string, unknown> = {}): Promise<Delivery> => {
    const delivery = await Delivery.open();
    await delivery.ready(await delivery.commit('1', spec));
    await delivery.scene.quiet();
    return delivery;
  };
  const annotations = async (delivery: Delivery) => (await delivery.app()).metadata.annotations ?? {};
  const apiKey = async (delivery: Delivery) => (await delivery.app()).status?.keys?.find(({ name }) => name === 'api');

  test(
    'a request by kubectl devshelf stays, and is answered',
    async () => {
      const delivery = await settled();
      expect(await delivery.devshelf('rotate-key', 'shop')).toMatchObject({ code: 0 });
      const asked = (await annotations(delivery))['devshelf.dev/rotate'];
      expect(asked).toMatch(/^20\d\d-/);
      await delivery.sync();
      expect((await annotations(delivery))['devshelf.dev/rotate']).toBe(asked);
      await until(async () => (await apiKey(delivery))?.request === asked, 'the key is not rotated');
    },
    TEST_MS,
  );

  test(
    'an annotation by kubectl is taken away, after it was heard; by a field manager of one’s own it stays',
    async () => {
      const delivery = await settled();
      await delivery.kubectl('annotate', 'dbd', 'shop', 'devshelf.dev/rotate=one');
      await until(async () => (await apiKey(delivery))?.request === 'one', 'the key is not rotated');
      await delivery.sync();
      expect(await annotations(delivery)).not.toHaveProperty(['devshelf.dev/rotate']);
      await delivery.scene.quiet();
      expect(await apiKey(delivery)).toMatchObject({ request: 'one' });
      await delivery.kubectl('annotate', 'dbd', 'shop', 'devshelf.dev/rotate-force=api/1', '--field-manager=ana');
      await delivery.sync();
      expect(await annotations(delivery)).toHaveProperty(['devshelf.dev/rotate-force'], 'api/1');
    },
    TEST_MS,
  );

  test(
    'what is asked for by kubectl annotate while it cannot begin is lost with the annotation',
    async () => {
      const delivery = await settled({ paused: false });
      await delivery.ready(await delivery.commit('1', { paused: true }));
      await delivery.kubectl('annotate', 'dbd', 'shop', 'devshelf.dev/rotate=two');
      await delivery.scene.quiet();
      await delivery.sync();
      expect(await annotations(delivery)).not.toHaveProperty(['devshelf.dev/rotate']);
      await delivery.ready(await delivery.commit('1', { paused: false }));
      await delivery.scene.quiet();
      expect(await apiKey(delivery)).not.toHaveProperty('request');
    },
    TEST_MS,
  );

  test(
    'a field of Git’s comes back, whoever changed it',
    async () => {
      const delivery = await settled({ paused: false, replicas: 2 });
      await delivery.shop.patch({ paused: true, replicas: 5 });
      await delivery.sync();
      expect((await delivery.app()).spec).toMatchObject({ paused: false, replicas: 2 });
      await delivery.kubectl('scale', 'dbd/shop', '--replicas=4');
      await delivery.sync();
      expect((await delivery.app()).spec).toMatchObject({ replicas: 2 });
    },
    TEST_MS,
  );

  test(
    'a field that Git does not name stays, but for what kubectl edit and patch wrote',
    async () => {
      const delivery = await settled();
      await delivery.kubectl('scale', 'dbd/shop', '--replicas=4');
      expect(await delivery.devshelf('pause', 'shop')).toMatchObject({
        code: 3,
        stderr: expect.stringContaining('commit spec.paused: true'),
      });
      expect(await delivery.devshelf('pause', 'shop', '--anyway')).toMatchObject({ code: 0 });
      await delivery.sync();
      expect((await delivery.app()).spec).toMatchObject({ replicas: 4, paused: true });
      await delivery.shop.controllersRest();
      expect((await delivery.shop.deployment())?.spec?.replicas).toBe(4);
      const merge = JSON.stringify({ spec: { rollout: { retryToken: 'x' } } });
      await delivery.kubectl('patch', 'dbd', 'shop', '--type=merge', `--patch=${merge}`);
      await delivery.sync();
      expect((await delivery.app()).spec['rollout']).not.toHaveProperty('retryToken');
    },
    TEST_MS,
  );

  test(
    'pods that an autoscaler asked for stay',
    async () => {
      const delivery = await settled({ autoscaling: { minReplicas: 2, maxReplicas: 9 } });
      const scale = `/apis/apps/v1/namespaces/${delivery.shop.namespace}/deployments/shop/scale`;
      await patch(scale, { spec: { replicas: 5 } }, 'kube-controller-manager');
      await delivery.sync();
      await delivery.scene.quiet();
      expect((await delivery.shop.deployment())?.spec?.replicas).toBe(5);
    },
    TEST_MS,
  );
});

describe('suspended, and taken out of Git', () => {
  test(
    'suspended, a commit waits, and the operator goes on',
    async () => {
      const delivery = await Delivery.open();
      await delivery.ready(await delivery.commit('1'));
      delivery.scene.find('2', { canary: 'Pending' });
      const trial = await delivery.commit('2');
      await delivery.waits(trial);
      await delivery.reaches('Candidate');
      await delivery.suspend(true);
      await delivery.finds('2', { canary: 'Good' });
      await delivery.shop.settles('2');
      const newest = await delivery.commit('3');
      await delivery.scene.quiet();
      expect((await delivery.app()).spec['image']).toBe(image('2'));
      await delivery.suspend(false);
      await delivery.ready(newest);
      await delivery.shop.settles('3');
    },
    TEST_MS,
  );

  test(
    'a file that is deleted deletes the resource with all that is its own, and nothing else',
    async () => {
      const delivery = await Delivery.open();
      await delivery.ready(await delivery.commit('1'));
      await delivery.ready(await delivery.remove());
      const { shop } = delivery;
      await until(async () => (await shop.app()) === undefined, 'the resource is still there');
      const kinds = ['pods', 'services', 'apps/v1/deployments', 'apps/v1/controllerrevisions'];
      await until(
        async () => (await Promise.all(kinds.map(kind => shop.list(kind)))).flat().length === 0,
        'children are left',
      );
      expect((await shop.list('configmaps')).map(({ metadata }) => metadata.name)).toContain('notes');
      expect((await shop.list('secrets')).map(({ metadata }) => metadata.name)).toContain('db');
    },
    TEST_MS,
  );
});
