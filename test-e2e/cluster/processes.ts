// The cluster's long-running programs. A pid alone says nothing after a crash: the number may be someone else's by now.
// So its start time is kept with it, and only the pair is ever trusted.
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Cluster } from './names.ts';
import { sleep } from './run.ts';

const KILL_DEADLINE_MS = 10_000;

/** Clock ticks after boot at which the process started; undefined when there is none, or only a zombie. */
export const startTime = (pid: number): string | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name before it may hold anything
    return fields[0] === 'Z' ? undefined : fields[19];
  } catch {
    return undefined;
  }
};

type Known = { readonly pid: number; readonly started: string };

const pidFile = (cluster: Cluster, name: string): string => join(cluster.state, 'pids', name);
export const logFile = (cluster: Cluster, name: string): string => join(cluster.state, 'log', `${name}.log`);

const known = (cluster: Cluster, name: string): Known | undefined => {
  try {
    return JSON.parse(readFileSync(pidFile(cluster, name), 'utf8')) as Known;
  } catch {
    return undefined;
  }
};

/** The programs that were ever started in this state folder. */
export const startedNames = (cluster: Cluster): string[] => {
  const pids = join(cluster.state, 'pids');
  return existsSync(pids) ? readdirSync(pids).sort() : [];
};

/** The pid of the program, if it is still the one we started. */
export const runningPid = (cluster: Cluster, name: string): number | undefined => {
  const process = known(cluster, name);
  return process !== undefined && startTime(process.pid) === process.started ? process.pid : undefined;
};

export type Where = 'node' | 'host';

/** Starts a program that outlives us, its output in `log/NAME.log`. `node`: inside the node's network namespace. */
export const startProgram = (cluster: Cluster, name: string, where: Where, command: readonly string[]): void => {
  for (const part of ['pids', 'log']) mkdirSync(join(cluster.state, part), { recursive: true });
  const log = openSync(logFile(cluster, name), 'a');
  const [program = '', ...args] = where === 'node' ? [...enterNode(cluster), ...command] : command;
  const child = spawn(program, args, { detached: true, stdio: ['ignore', log, log], cwd: cluster.state });
  closeSync(log);
  if (child.pid === undefined) {
    child.once('error', () => {});
    throw new Error(`${program} could not be started: is it installed?`);
  }
  writeFileSync(pidFile(cluster, name), JSON.stringify({ pid: child.pid, started: startTime(child.pid) }));
  child.unref();
};

/** What to put before a command so that it runs in the node's network. `ip netns exec` would hide the cgroups. */
export const enterNode = (cluster: Cluster): string[] => ['nsenter', `--net=${cluster.namespaceFile}`, '--'];

/** The end of a program's log. */
export const logTail = (cluster: Cluster, name: string, lines = 15): string => {
  const file = logFile(cluster, name);
  if (!existsSync(file)) return '(no log)';
  const tail = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines);
  return tail.map(line => line.slice(0, 400)).join('\n');
};

/** Waits until `ready` says so. Throws with the end of the program's log when it ends before, or takes too long. */
export const untilReady = async (
  cluster: Cluster,
  name: string,
  ready: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> => {
  const deadline = Date.now() + timeoutMs;
  while (!(await ready())) {
    if (runningPid(cluster, name) === undefined) throw componentFailed(cluster, name, 'ended');
    if (Date.now() > deadline) throw componentFailed(cluster, name, `was not ready after ${timeoutMs / 1000} s`);
    await sleep(50);
  }
};

const componentFailed = (cluster: Cluster, name: string, what: string): Error =>
  new Error(`${name} ${what}. The end of ${logFile(cluster, name)}:\n${logTail(cluster, name)}`);

/** Kills these processes and waits until none is left, or until the deadline, whatever comes first. */
export const killAll = async (pids: readonly number[]): Promise<void> => {
  const targets = pids.map(pid => ({ pid, started: startTime(pid) })).filter(target => target.started !== undefined);
  const alive = (): Known[] => targets.filter((target): target is Known => startTime(target.pid) === target.started);
  for (const { pid } of targets) kill(pid);
  const deadline = Date.now() + KILL_DEADLINE_MS;
  while (alive().length > 0 && Date.now() < deadline) await sleep(20);
};

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
};

const networkOf = (path: string): string | undefined => {
  try {
    const { dev, ino } = statSync(path);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
};

const PROGRAMS = /^(etcd|kube-.*|kubelet|containerd|containerd-shim.*|runc|coredns|metrics-server|netforward)$/;

/**
 * Every process of the cluster, also one whose pid file was lost: what is in the node's network namespace, and our
 * programs with the state folder or the namespace among their arguments. Processes of pods are found by their cgroup.
 */
export const strayPids = (cluster: Cluster): number[] => {
  const network = networkOf(cluster.namespaceFile);
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .map(Number)
    .filter(pid => pid !== process.pid && (isInNetwork(pid, network) || isOurProgram(cluster, pid)));
};

const isInNetwork = (pid: number, network: string | undefined): boolean =>
  network !== undefined && networkOf(`/proc/${pid}/ns/net`) === network;

const isOurProgram = (cluster: Cluster, pid: number): boolean => {
  try {
    const program = basename(readlinkSync(`/proc/${pid}/exe`).replace(' (deleted)', ''));
    if (!PROGRAMS.test(program)) return false;
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    return args.includes(`${cluster.state}/`) || args.split('\0').includes(cluster.namespaceFile);
  } catch {
    return false; // it ended meanwhile
  }
};
