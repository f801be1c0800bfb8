// The node's own network: iptables rules, pods and traffic stay in a namespace that has no way out to the host's.
import { existsSync } from 'node:fs';
import { type Cluster, NODE_IP } from './names.ts';
import { enterNode } from './processes.ts';
import { run, succeeds } from './run.ts';

/** Makes the namespace with the node's address, which is also where a default route leads. */
export const createNetwork = async (cluster: Cluster): Promise<void> => {
  await run(['ip', 'netns', 'add', cluster.namespace]);
  const script = [
    'ip link set lo up',
    'ip link add node0 type bridge', // not "dummy": some kernels are built without it, and pods need bridges anyway
    `ip addr add ${NODE_IP}/24 dev node0`,
    'ip link set node0 up',
    `ip route add default via ${NODE_IP}`,
    'sysctl -qw net.ipv4.ip_forward=1',
    // so that a pod reaches itself and its neighbours through a Service; absent where br_netfilter is not loaded
    'sysctl -qw net.bridge.bridge-nf-call-iptables=1 2>/dev/null || true',
  ].join('\n');
  await run([...enterNode(cluster), 'sh', '-ec', script]);
};

/** Removes the namespace, and with it every link, address and rule in it. */
export const deleteNetwork = async (cluster: Cluster): Promise<void> => {
  if (!existsSync(cluster.namespaceFile)) return;
  if (await succeeds(['ip', 'netns', 'delete', cluster.namespace])) return;
  await succeeds(['umount', '-l', cluster.namespaceFile]);
  await run(['rm', '-f', cluster.namespaceFile]);
};
