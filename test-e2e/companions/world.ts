// Where the public sits: a network of its own behind the node's, so that its address is nobody's in the cluster.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { insideNode } from '../cluster/cluster.ts';
import { type Cluster, thisCluster } from '../cluster/names.ts';
import { startForward } from '../cluster/network.ts';
import { freePorts } from '../cluster/ports.ts';
import { killAll, logTail, runningPid, startedNames } from '../cluster/processes.ts';
import { run, sleep } from '../cluster/run.ts';

/** Of a block for documentation: what the services' logs call the client. */
export const CLIENT_ADDRESS = '198.51.100.7';
const NODES_ADDRESS = '198.51.100.1';
const LINK = 'world0';

/** The same cluster's state, in the public's network. */
const world = (): Cluster => {
  const cluster = thisCluster();
  const namespace = `${cluster.namespace}-world`;
  return { ...cluster, namespace, namespaceFile: `/run/netns/${namespace}` };
};

/** What to put before a command inside the node so that it runs out there. */
export const enterWorld = (): readonly string[] => ['nsenter', `--net=${world().namespaceFile}`, '--'];

/** One link leads to the node, which routes for it. */
export async function openWorld(): Promise<void> {
  await closeWorld();
  const { namespace } = world();
  await run(['ip', 'netns', 'add', namespace]);
  await onNode(
    `ip link add ${LINK} type veth peer name ${LINK} netns ${namespace}`,
    `ip addr add ${NODES_ADDRESS}/24 dev ${LINK}`,
    `ip link set ${LINK} up`,
  );
  const script = [
    'ip link set lo up',
    `ip addr add ${CLIENT_ADDRESS}/24 dev ${LINK}`,
    `ip link set ${LINK} up`,
    `ip route add default via ${NODES_ADDRESS}`,
  ];
  await run([...enterWorld(), 'sh', '-ec', script.join('\n')]);
}

async function onNode(...script: readonly string[]): Promise<void> {
  const shell = insideNode(['sh', '-ec', script.join('\n')], { stdio: 'inherit' });
  const [code] = await once(shell, 'close');
  if (code !== 0) throw new Error(`${script.join('; ')}: exit code ${code}`);
}

/** The link goes with it. */
export async function closeWorld(): Promise<void> {
  const { namespace, namespaceFile } = world();
  const forwarders = startedNames(world()).filter(name => name.startsWith(FORWARD));
  await killAll(forwarders.flatMap(name => runningPid(world(), name) ?? []));
  ports.clear();
  if (existsSync(namespaceFile)) await run(['ip', 'netns', 'delete', namespace]);
}

const ports = new Map<string, Promise<number>>();
const FORWARD = 'world-';

/** A port on 127.0.0.1 of this machine whose connections are made out there. The same target keeps its port. */
export function fromWorld(target: string): Promise<number> {
  const port = ports.get(target) ?? forward(target);
  ports.set(target, port);
  return port;
}

async function forward(target: string): Promise<number> {
  const [port = 0] = await freePorts(1);
  const name = `${FORWARD}${target}`;
  startForward(world(), name, port, target);
  await sleep(100);
  if (runningPid(world(), name) === undefined) throw new Error(`${name}: ${logTail(world(), name, 1)}`);
  return port;
}
