// Takes everything away that a cluster may have left, in whatever state it is. Nothing is asked to end politely:
// the data goes with it.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { podPids, removeCgroups, thaw } from './cgroups.ts';
import type { Cluster } from './names.ts';
import { deleteNetwork } from './network.ts';
import { killAll, runningPid, startedNames, strayPids } from './processes.ts';
import { run, succeeds } from './run.ts';

/** Ends and removes the cluster: processes, mounts, network namespaces, cgroups, files. Repeating it is harmless. */
export const tearDown = async (cluster: Cluster): Promise<void> => {
  const programs = startedNames(cluster).flatMap(name => runningPid(cluster, name) ?? []);
  await killAll([...programs, ...strayPids(cluster)]); // first those that would start something again
  thaw(cluster);
  await killAll([...podPids(cluster), ...strayPids(cluster)]);
  await unmountAll(cluster);
  await removeCgroups(cluster);
  await deleteNetwork(cluster);
  rmSync(cluster.state, { recursive: true, force: true, maxRetries: 3 });
};

/** What is left of the cluster, one line each; empty after a `tearDown`. */
export const leftovers = (cluster: Cluster): string[] => [
  ...strayPids(cluster).map(pid => `process ${pid}`),
  ...podPids(cluster).map(pid => `pod process ${pid}`),
  ...mounts(cluster).map(mount => `mount ${mount}`),
  ...[cluster.namespaceFile, cluster.state].filter(existsSync),
];

// what is mounted later lies on top, so it goes first; pods' network namespaces are mounts in the state folder, too
const mounts = (cluster: Cluster): string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map(line => (line.split(' ')[1] ?? '').replaceAll('\\040', ' '))
    .filter(target => target.startsWith(`${cluster.state}/`))
    .reverse();

const unmountAll = async (cluster: Cluster): Promise<void> => {
  const targets = mounts(cluster);
  if (targets.length === 0) return;
  if (await succeeds(['umount', '-l', ...targets])) return;
  for (const target of mounts(cluster)) await run(['umount', '-l', target]);
};
