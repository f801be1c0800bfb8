// What belongs to one cluster, and how to find it again after whatever happened.
import { join } from 'node:path';
import { CHECKOUT, contentHash } from './paths.ts';

export type Cluster = {
  readonly name: string;
  /** Everything the cluster writes. Its path is short, because that of a socket must be. */
  readonly state: string;
  /** The node's network namespace: its name, and the file that `nsenter --net=` takes. */
  readonly namespace: string;
  readonly namespaceFile: string;
  /** Where the kubelet puts pods, below each cgroup controller. */
  readonly cgroup: string;
  /** For kubectl on this machine, through a loopback port. */
  readonly kubeconfig: string;
  /** For programs inside the node's network namespace. */
  readonly nodeKubeconfig: string;
};

// the kernel's limit for a socket's path, less containerd's longest name
const MAX_STATE_PATH = 104 - '/containerd.sock.ttrpc'.length;

/** The cluster called `name`. */
export const clusterNamed = (name: string): Cluster => {
  if (!/^[a-z0-9][a-z0-9-]{0,19}$/.test(name)) {
    throw new Error(`"${name}" cannot name a cluster: at most 20 lower-case letters, digits and dashes`);
  }
  const namespace = `devshelf-${name}`;
  const state = join(process.env['DEVSHELF_STATE'] || '/var/lib/devshelf', name);
  if (state.length > MAX_STATE_PATH) throw new Error(`${state} is too long for sockets: choose another DEVSHELF_STATE`);
  return {
    name,
    state,
    namespace,
    namespaceFile: `/run/netns/${namespace}`,
    cgroup: namespace,
    kubeconfig: join(state, 'kubeconfig'),
    nodeKubeconfig: join(state, 'pki', 'admin.kubeconfig'),
  };
};

/** The cluster of this checkout; `DEVSHELF_CLUSTER` names another one. */
export const thisCluster = (): Cluster => clusterNamed(process.env['DEVSHELF_CLUSTER'] || contentHash(CHECKOUT));

export const NODE_NAME = 'devshelf';
export const NODE_IP = '172.30.0.1';
export const SERVICE_CIDR = '10.96.0.0/16';
export const POD_CIDR = '10.244.0.0/16';
/** The /24 of the only node. */
export const NODE_POD_CIDR = '10.244.0.0/24';
export const KUBERNETES_SERVICE_IP = '10.96.0.1';
export const DNS_SERVICE_IP = '10.96.0.10';

/** What holds each pod's namespaces; containerd is told its name, and it must be there before the first pod. */
export const PAUSE_IMAGE = 'devshelf.local/pause:1';

export const containerdSocket = (cluster: Cluster): string => join(cluster.state, 'containerd.sock');
