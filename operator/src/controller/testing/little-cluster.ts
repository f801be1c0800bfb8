// A cluster that is real where controllers look: etcd, kube-apiserver and kube-controller-manager as they are, and a
// kubelet that only pretends.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ApiServer, startApiServer } from '../../../../test-e2e/cluster/apiserver.ts';
import { binaryPath, ensureBinaries } from '../../../../test-e2e/cluster/binaries.ts';
import { loadCluster } from '../../kube/config.ts';
import { createTransport, type Transport } from '../../kube/transport.ts';
import { LittleKubelet, type PodHost, type Timing } from './little-kubelet.ts';

export interface LittleCluster {
  readonly api: ApiServer;
  /** As an administrator; the operators under test have connections of their own. */
  readonly transport: Transport;
  readonly kubelet: LittleKubelet;
  /** The same API server for one more client. */
  connect(): Promise<Transport>;
  /** From now on nobody but clients writes: neither controllers nor the kubelet. */
  stopControllers(): Promise<void>;
  stop(): Promise<void>;
}

const CONTROLLERS = [
  'deployment-controller',
  'replicaset-controller',
  'job-controller',
  'garbage-collector-controller',
  'namespace-controller',
];

/** Beside those that every test needs. */
export interface Flags {
  readonly apiServer?: readonly string[];
  readonly controllerManager?: readonly string[];
}

/** @param controllers of kube-controller-manager's, besides those that every test needs */
export async function startLittleCluster(
  timing: Partial<Timing> = {},
  host?: PodHost,
  controllers: readonly string[] = [],
  flags: Flags = {},
): Promise<LittleCluster> {
  await ensureBinaries('etcd', 'kube-apiserver', 'kubectl', 'kube-controller-manager');
  const api = await startApiServer({ flags: flags.apiServer ?? [] });
  const connect = async (): Promise<Transport> =>
    createTransport(await loadCluster({ kubeconfig: api.adminKubeconfigPath }));
  await api.installCrds(join(import.meta.dirname, '../../../../crds'));
  const manager = startControllerManager(api, controllers, flags.controllerManager);
  const transport = await connect();
  const kubelet = new LittleKubelet(transport, timing, host);
  await kubelet.synced;
  const stopControllers = async (): Promise<void> => {
    await kubelet.stop();
    await end(manager);
  };
  const stop = async (): Promise<void> => {
    await stopControllers();
    await transport.close();
    await api.stop();
  };
  return { api, transport, kubelet, connect, stopControllers, stop };
}

function startControllerManager(
  { adminKubeconfigPath }: ApiServer,
  more: readonly string[],
  others: readonly string[] = [],
): ChildProcess {
  const flags = [
    `--kubeconfig=${adminKubeconfigPath}`,
    `--controllers=${[...CONTROLLERS, ...more].join(',')}`,
    '--leader-elect=false',
    '--secure-port=0',
    '--kube-api-qps=1000',
    '--kube-api-burst=2000',
    '--concurrent-deployment-syncs=20',
    '--concurrent-replicaset-syncs=20',
    '--concurrent-job-syncs=20',
    ...others,
  ];
  const log = openSync(join(dirname(adminKubeconfigPath), 'kube-controller-manager.log'), 'a');
  // the kernel ends it when we are killed ourselves, in whatever way
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', binaryPath('kube-controller-manager'), ...flags], {
    stdio: ['ignore', log, log],
  });
  child.unref();
  closeSync(log);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  child.kill('SIGKILL');
  await once(child, 'exit');
}
