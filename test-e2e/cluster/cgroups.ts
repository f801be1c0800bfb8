// A cgroup of its own for the cluster's pods: with a shared one, a second kubelet would clean away the first one's pods.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from './names.ts';
import { sleep } from './run.ts';

const MOUNT = '/sys/fs/cgroup';
const REMOVE_DEADLINE_MS = 5_000;

const isUnified = (): boolean => existsSync(join(MOUNT, 'cgroup.controllers'));

// version 1 has a tree for each controller; some are links to another one's
const trees = (): string[] => (isUnified() ? [MOUNT] : readdirSync(MOUNT).map(controller => join(MOUNT, controller)));

const read = (file: string): string => readFileSync(file, 'utf8').trim();

/** Makes the cluster's cgroup wherever the kubelet will look for it. */
export const createCgroups = (cluster: Cluster): void => {
  for (const tree of trees()) {
    const made = join(tree, cluster.cgroup);
    mkdirSync(made, { recursive: true });
    if (!isUnified() && existsSync(join(made, 'cpuset.cpus'))) inheritCpus(tree, made);
    if (!isUnified() && existsSync(join(made, 'cpu.shares'))) giveShares(made);
  }
  if (isUnified()) delegateControllers(cluster);
};

// a new cpuset is empty, and no process can enter it
const inheritCpus = (tree: string, made: string): void => {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) writeFileSync(join(made, file), read(join(tree, file)));
};

/**
 * What all pods together count against everything else on the machine: 1024 for each processor, as the kubelet gives it
 * to the pods of a node that is nothing else. (In version 2 every group counts that much already.)
 */
const giveShares = (group: string): void =>
  writeFileSync(join(group, 'cpu.shares'), String(1024 * availableParallelism()));

const delegateControllers = (cluster: Cluster): void => {
  const enable = read(join(MOUNT, 'cgroup.controllers'))
    .split(' ')
    .map(controller => `+${controller}`);
  for (const parent of [MOUNT, join(MOUNT, cluster.cgroup)]) {
    writeFileSync(join(parent, 'cgroup.subtree_control'), enable.join(' '));
  }
};

const isFolder = (path: string): boolean => existsSync(join(path, 'cgroup.procs'));

// children before their parents, as they must be removed
const below = (group: string): string[] =>
  readdirSync(group, { withFileTypes: true })
    .filter(entry => entry.isDirectory())
    .flatMap(entry => below(join(group, entry.name)))
    .concat(group);

const groups = (cluster: Cluster): string[] =>
  trees()
    .map(tree => join(tree, cluster.cgroup))
    .filter(isFolder)
    .flatMap(below);

/** The processes of all pods, as far as they live. */
export const podPids = (cluster: Cluster): number[] => {
  const pids = groups(cluster).flatMap(group => read(join(group, 'cgroup.procs')).split('\n'));
  return [...new Set(pids.filter(pid => pid !== '').map(Number))];
};

/** Lets frozen pods go on: in version 1 of cgroups what is frozen cannot even be killed. */
export const thaw = (cluster: Cluster): void => {
  for (const group of groups(cluster)) {
    const state = join(group, 'freezer.state');
    if (existsSync(state) && read(state) !== 'THAWED') writeFileSync(state, 'THAWED');
  }
};

/** Removes the cgroups; the kernel refuses until the last killed process is really gone. */
export const removeCgroups = async (cluster: Cluster): Promise<void> => {
  const deadline = Date.now() + REMOVE_DEADLINE_MS;
  while (groups(cluster).map(removed).includes(false)) {
    if (Date.now() > deadline) throw new Error(`the cgroup ${cluster.cgroup} still holds ${podPids(cluster)}`);
    await sleep(20);
  }
};

const removed = (group: string): boolean => {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return !existsSync(group);
  }
};
