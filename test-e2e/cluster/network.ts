// The node's own network: iptables rules, pods and traffic stay in a namespace that has no way out to the host's.
import { existsSync } from 'node:fs';
import { binaryPath } from './binaries.ts';
import { type Cluster, NODE_IP } from './names.ts';
import { enterNode, startProgram } from './processes.ts';
import { run, succeeds } from './run.ts';

/** Makes the namespace with the node's address, which is also where a default route leads. */
export const createNetwork = async (cluster: Cluster): Promise<void> => {
  await loadModules();
  await run(['ip', 'netns', 'add', cluster.namespace]);
  const script = [
    'ip link set lo up',
    'ip link add node0 type bridge', // not "dummy": some kernels are built without it, and pods need bridges anyway
    `ip addr add ${NODE_IP}/24 dev node0`,
    'ip link set node0 up',
    `ip route add default via ${NODE_IP}`,
    'sysctl -qw net.ipv4.ip_forward=1',
    'sysctl -qw net.bridge.bridge-nf-call-iptables=1', // so that a pod reaches its neighbours through a Service
  ].join('\n');
  await run([...enterNode(cluster), 'sh', '-ec', script]);
};

const loadModules = async (): Promise<void> => {
  await succeeds(['modprobe', '--all', '--quiet', 'br_netfilter', 'overlay']); // they may be built in
  if (existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')) return;
  throw new Error('The kernel lacks br_netfilter, without which Services do not work: modprobe br_netfilter');
};

/** Removes the namespace, and with it every link, address and rule in it. */
export const deleteNetwork = async (cluster: Cluster): Promise<void> => {
  if (!existsSync(cluster.namespaceFile)) return;
  if (await succeeds(['ip', 'netns', 'delete', cluster.namespace])) return;
  await succeeds(['umount', '-l', cluster.namespaceFile]);
  await run(['rm', '-f', cluster.namespaceFile]);
};

/** Carries connections from a loopback port of this machine to an address inside the node's network. */
export const startForward = (cluster: Cluster, name: string, port: number, target: string): void =>
  startProgram(cluster, name, 'host', [binaryPath('netforward'), `127.0.0.1:${port}`, cluster.namespaceFile, target]);
