// The same cluster by kind, for those who have docker or podman. The node is a container; on Linux, root can enter its
// network namespace as it enters the native node's.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { binaryPath, ensureBinaries } from './binaries.ts';
import type { Backend, ClusterStatus } from './cluster.ts';
import { engine } from './engine.ts';
import { forwards, forwardToLoopback } from './forwards.ts';
import { thisCluster } from './names.ts';
import { CACHE, folder } from './paths.ts';
import { killAll, runningPid, startedNames } from './processes.ts';
import { run } from './run.ts';
import { say, step } from './say.ts';

const METRICS_SERVER = 'https://github.com/kubernetes-sigs/metrics-server/releases/download/v0.8.0/components.yaml';

/** The kind cluster of this checkout, or the one that DEVSHELF_CLUSTER names. */
export const kind = (): Backend => {
  const name = thisCluster().namespace;
  const node = `${name}-control-plane`;
  const state = join(CACHE, 'kind', name);
  const cluster = { ...thisCluster(), state };
  const kubeconfig = join(state, 'kubeconfig');
  const nodeKubeconfig = join(state, 'node.kubeconfig');
  const env = { ...process.env, KIND_EXPERIMENTAL_PROVIDER: engine() };
  const runKind = (...args: string[]): Promise<string> => run([binaryPath('kind'), ...args, '--name', name], { env });
  const kubectl = (...args: string[]): Promise<string> =>
    run([binaryPath('kubectl'), '--kubeconfig', kubeconfig, ...args]);
  const exists = async (): Promise<boolean> =>
    (await run([binaryPath('kind'), 'get', 'clusters'], { env })).split('\n').includes(name);

  const up = async (): Promise<void> => {
    await ensureBinaries('kubectl', 'kind', 'netforward');
    folder(state);
    if (await exists()) await runKind('export', 'kubeconfig', '--kubeconfig', kubeconfig);
    else await step(`kind create cluster ${name}`, () => create());
    const inside = readFileSync(kubeconfig, 'utf8').replace(/server: .*/, 'server: https://127.0.0.1:6443');
    writeFileSync(nodeKubeconfig, inside);
    say(`the cluster ${name} is up`);
  };
  const create = async (): Promise<void> => {
    await runKind('create', 'cluster', '--kubeconfig', kubeconfig, '--wait', '3m');
    await kubectl('apply', '--filename', METRICS_SERVER);
    const add = [{ op: 'add', path: '/spec/template/spec/containers/0/args/-', value: '--kubelet-insecure-tls' }];
    await kubectl('patch', 'deployment/metrics-server', '-n=kube-system', '--type=json', '-p', JSON.stringify(add));
  };
  const status = async (): Promise<ClusterStatus> => {
    await ensureBinaries('kubectl', 'kind');
    const up = existsSync(kubeconfig) && (await exists());
    const nodes = up ? await kubectl('get', 'nodes', '--no-headers').catch(String) : '';
    return { name, up, node: nodes.trim(), kubeconfig, folder: state, components: [] };
  };
  const nodePid = (): string =>
    execFileSync(engine(), ['inspect', '--format', '{{.State.Pid}}', node], { encoding: 'utf8' }).trim();

  return {
    name,
    kubeconfig,
    nodeKubeconfig,
    enterNode: () => ['nsenter', `--net=/proc/${nodePid()}/ns/net`, '--'],
    ctr: () => [engine(), 'exec', node, 'ctr', '--namespace', 'k8s.io'],
    up,
    down: async () => {
      await ensureBinaries('kind');
      await killAll(startedNames(cluster).flatMap(started => runningPid(cluster, started) ?? []));
      await runKind('delete', 'cluster');
      rmSync(state, { recursive: true, force: true });
      say(`the cluster ${name} is gone`);
    },
    status,
    loadImages: async images => {
      for (const image of images)
        await step(`loading ${image.reference}`, () => runKind('load', 'image-archive', image.archive));
    },
    loadArchive: async archive => void (await runKind('load', 'image-archive', archive)),
    forwardToLoopback: (target, port) => {
      const namespaceFile = `/proc/${nodePid()}/ns/net`;
      return forwardToLoopback({ ...cluster, namespaceFile }, target, port);
    },
    forwards: () => forwards(cluster),
  };
};
