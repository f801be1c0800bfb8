// A namespace of its own for each scenario, with PostgreSQL and Redis in it. Pod Security "restricted" is enforced.
import { kubectl, pausePod, resumePod } from '../cluster/cluster.ts';
import { apply, find, get, type KubeObject, list, patch, remove } from './kube.ts';
import type { Releases } from './releases.ts';
import { until } from './wait.ts';

const PASSWORD = 'only-inside-this-cluster';
const DATABASES = { dashboard: 'dashboard', devshelf: 'devshelf' } as const;
type Store = 'postgresql' | 'redis';

const path = (namespace: string): string => `/api/v1/namespaces/${namespace}`;

/** Removes what an earlier run left under this name, and waits until it is gone. */
export async function clearNamespace(namespace: string): Promise<void> {
  await remove(path(namespace));
  await until(`namespace ${namespace} to be gone`, async () => (await find(path(namespace))) === undefined, {
    seconds: 180,
  });
}

/** An empty namespace of this name. */
export async function freshNamespace(namespace: string): Promise<void> {
  await clearNamespace(namespace);
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } });
}

/** PostgreSQL with a database for each service, and Redis; returns when both answer. */
export async function startStores(
  namespace: string,
  { postgresql, redis }: Pick<Releases, 'postgresql' | 'redis'>,
): Promise<void> {
  await Promise.all([
    startStore(namespace, 'postgresql', postgresql, 5432, ['pg_isready', '-h', '127.0.0.1'], {
      POSTGRES_PASSWORD: PASSWORD,
      POSTGRES_DATABASES: Object.values(DATABASES).join(' '),
    }),
    startStore(namespace, 'redis', redis, 6379, ['redis-cli', 'ping'], {}),
  ]);
  await Promise.all([waitForStore(namespace, 'postgresql'), waitForStore(namespace, 'redis')]);
}

/** The Secrets that the resources name. */
export async function createSecrets(namespace: string): Promise<void> {
  await Promise.all([
    secret(namespace, 'dashboard-db', 'DATABASE_URL', databaseUrl('dashboard')),
    secret(namespace, 'devshelf-db', 'DATABASE_URL', databaseUrl('devshelf')),
    secret(namespace, 'devshelf-redis', 'REDIS_URL', 'redis://redis:6379/0'),
  ]);
}

const databaseUrl = (name: keyof typeof DATABASES): string =>
  `postgresql://postgres:${PASSWORD}@postgresql:5432/${DATABASES[name]}`;

export const secret = (namespace: string, name: string, key: string, value: string): Promise<KubeObject> =>
  apply({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, stringData: { [key]: value } });

export const dashboardSecret = (namespace: string): Promise<KubeObject> =>
  secret(namespace, 'dashboard-db', 'DATABASE_URL', databaseUrl('dashboard'));

async function startStore(
  namespace: string,
  name: Store,
  image: string,
  port: number,
  ready: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const labels = { app: name };
  const container = {
    name,
    image,
    env: Object.entries(environment).map(([key, value]) => ({ name: key, value })),
    ports: [{ containerPort: port }],
    // once it has started, no process is put into it any more: one that is just beginning cannot be frozen
    startupProbe: { exec: { command: ready }, periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { tcpSocket: { port }, periodSeconds: 1 },
    // without a share of its own, pods that begin would starve it on a full machine, and all that it serves
    resources: { requests: { cpu: '250m', memory: '64Mi' } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
    volumeMounts: ['data', 'tmp'].map(volume => ({ name: volume, mountPath: `/${volume}` })),
  };
  await apply({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: {
      replicas: 1,
      strategy: { type: 'Recreate' },
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 1,
          securityContext: { runAsNonRoot: true, fsGroup: 65532, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [container],
          volumes: ['data', 'tmp'].map(volume => ({ name: volume, emptyDir: {} })),
        },
      },
    },
  });
  await apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: labels, ports: [{ port }] },
  });
}

const deploymentPath = (namespace: string, name: string): string =>
  `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;

const waitForStore = (namespace: string, name: Store): Promise<boolean> =>
  until(`${name} to answer`, async () => {
    const { status } = await get(deploymentPath(namespace, name));
    return status?.readyReplicas === 1;
  });

/** No process of the store is there any more; its data goes with it. */
export const stopStore = async (namespace: string, name: Store): Promise<void> => {
  await patch(deploymentPath(namespace, name), { spec: { replicas: 0 } });
  await until(`${name} to be gone`, async () => (await storePods(namespace, name)).length === 0);
};

/** Brings a stopped store back, empty. */
export const restartStore = async (namespace: string, name: Store): Promise<void> => {
  await patch(deploymentPath(namespace, name), { spec: { replicas: 1 } });
  await waitForStore(namespace, name);
};

const storePods = (namespace: string, name: Store): Promise<readonly KubeObject[]> =>
  list(`${path(namespace)}/pods?labelSelector=app%3D${name}`);

async function storePod(namespace: string, name: Store): Promise<string> {
  const [pod] = await storePods(namespace, name);
  if (!pod) throw new Error(`there is no pod of ${name} in ${namespace}`);
  return pod.metadata.name;
}

/** PostgreSQL stands still: connections stay open and nothing is answered. Returns a function that lets it go on. */
export async function pausePostgresql(namespace: string): Promise<() => Promise<void>> {
  const pod = await storePod(namespace, 'postgresql');
  await pausePod(namespace, pod);
  return () => resumePod(namespace, pod);
}

/** Runs SQL in a service's database. */
export async function sql(
  namespace: string,
  statement: string,
  database: keyof typeof DATABASES = 'dashboard',
): Promise<string> {
  const pod = await storePod(namespace, 'postgresql');
  const psql = ['psql', '-qtAX', '-v', 'ON_ERROR_STOP=1', databaseUrl(database).replace('@postgresql', '@127.0.0.1')];
  return (await kubectl(['exec', '-n', namespace, pod, '--', ...psql, '-c', statement])).trim();
}
