// The cluster made of plain processes.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startAddons } from './addons.ts';
import { ensureBinaries, KUBERNETES_VERSION } from './binaries.ts';
import type { Backend, ClusterStatus } from './cluster.ts';
import { forwards, forwardToLoopback } from './forwards.ts';
import { type Image, pauseImage } from './images.ts';
import { withLock } from './lock.ts';
import { type Cluster, containerdSocket, NODE_NAME, thisCluster } from './names.ts';
import { nodeKubectl, startNode } from './node.ts';
import { CACHE, folder } from './paths.ts';
import { freePorts } from './ports.ts';
import { enterNode, logFile, runningPid } from './processes.ts';
import { ensureRequirements } from './requirements.ts';
import { run } from './run.ts';
import { elapsed, say } from './say.ts';
import { leftovers, tearDown } from './teardown.ts';

const COMPONENTS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'containerd',
  'kubelet',
  'kube-proxy',
  'coredns',
  'metrics-server',
  'api-forward',
] as const;

const readyFile = (cluster: Cluster): string => join(cluster.state, 'ready');
const isUp = (cluster: Cluster): boolean =>
  existsSync(readyFile(cluster)) && COMPONENTS.every(name => runningPid(cluster, name) !== undefined);

const exclusively = <T>(cluster: Cluster, work: () => Promise<T>): Promise<T> =>
  withLock(join(CACHE, 'locks', cluster.name), `it starts or stops the cluster ${cluster.name}`, work);

const up = async (cluster: Cluster): Promise<void> => {
  if (isUp(cluster)) return say(`the cluster ${cluster.name} is up`);
  await ensureRequirements();
  await ensureBinaries('etcd', 'kube-apiserver', 'kubectl', 'kube-controller-manager', 'kube-scheduler', 'kubelet');
  await ensureBinaries('kube-proxy', 'pause', 'netforward', 'coredns', 'metrics-server');
  const pause = await pauseImage();
  await exclusively(cluster, async () => {
    if (isUp(cluster)) return;
    if (leftovers(cluster).length > 0) {
      say(`cleaning what is left of the cluster ${cluster.name}`);
      await tearDown(cluster);
    }
    await start(cluster, pause);
  });
};

const start = async (cluster: Cluster, pause: Image): Promise<void> => {
  const since = performance.now();
  chmodSync(folder(cluster.state), 0o700); // whoever reads the administrator's key may run anything as root
  const [apiPort = 0] = await freePorts(1);
  await startNode(cluster, apiPort, () => loadImages(cluster, [pause]));
  say(`node ${NODE_NAME} ${KUBERNETES_VERSION} is Ready: ${elapsed(since)}`);
  await startAddons(cluster);
  writeFileSync(readyFile(cluster), '');
  say(`the cluster ${cluster.name} is up: ${elapsed(since)}`);
};

const down = (cluster: Cluster): Promise<void> =>
  exclusively(cluster, async () => {
    const since = performance.now();
    await tearDown(cluster);
    const left = leftovers(cluster);
    if (left.length > 0) throw new Error(`the cluster ${cluster.name} is not quite gone:\n${left.join('\n')}`);
    say(`the cluster ${cluster.name} is gone: ${elapsed(since)}`);
  });

const status = async (cluster: Cluster): Promise<ClusterStatus> => {
  const components = COMPONENTS.map(name => ({ name, pid: runningPid(cluster, name), log: logFile(cluster, name) }));
  const node = existsSync(cluster.nodeKubeconfig)
    ? await nodeKubectl(cluster, ['get', 'nodes', '--no-headers', '--request-timeout=5s']).catch(String)
    : '';
  return {
    name: cluster.name,
    up: isUp(cluster),
    node: node.trim(),
    kubeconfig: cluster.kubeconfig,
    folder: cluster.state,
    components,
  };
};

const ctr = (cluster: Cluster): string[] => ['ctr', '--address', containerdSocket(cluster), '--namespace', 'k8s.io'];

const importArchive = (cluster: Cluster, archive: string): Promise<string> =>
  run([...ctr(cluster), 'images', 'import', archive]);

const loadedFile = (cluster: Cluster): string => join(cluster.state, 'images.json');
const loaded = (cluster: Cluster): Record<string, string> =>
  existsSync(loadedFile(cluster))
    ? (JSON.parse(readFileSync(loadedFile(cluster), 'utf8')) as Record<string, string>)
    : {};

const loadImages = async (cluster: Cluster, images: readonly Image[]): Promise<void> => {
  for (const { reference, archive, key } of images) {
    if (loaded(cluster)[reference] === key) {
      say(`${reference}: unchanged`);
      continue;
    }
    const since = performance.now();
    await importArchive(cluster, archive);
    writeFileSync(loadedFile(cluster), JSON.stringify({ ...loaded(cluster), [reference]: key }, null, 2));
    say(`loaded ${reference}: ${elapsed(since)}`);
  }
};

/** The native cluster of this checkout, or the one that DEVSHELF_CLUSTER names. */
export const native = (): Backend => {
  const cluster = thisCluster();
  return {
    name: cluster.name,
    kubeconfig: cluster.kubeconfig,
    nodeKubeconfig: cluster.nodeKubeconfig,
    enterNode: () => enterNode(cluster),
    ctr: () => ctr(cluster),
    up: () => up(cluster),
    down: () => down(cluster),
    status: () => status(cluster),
    loadImages: images => loadImages(cluster, images),
    loadArchive: async archive => void (await importArchive(cluster, archive)),
    forwardToLoopback: (target, port) => forwardToLoopback(cluster, target, port),
    forwards: () => forwards(cluster),
  };
};
