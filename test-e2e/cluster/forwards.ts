// Loopback ports of this machine that lead to addresses inside the cluster.
import type { Forward } from './cluster.ts';
import type { Cluster } from './names.ts';
import { startForward } from './network.ts';
import { freePorts } from './ports.ts';
import { logTail, runningPid, startedNames } from './processes.ts';
import { sleep } from './run.ts';

// the port and the target are in the name, so a running forwarder is found again
const FORWARD = /^forward-(\d+)-(.+)$/;

/** The forwarders of the cluster that are running. */
export const forwards = (cluster: Cluster): Forward[] =>
  startedNames(cluster)
    .filter(name => runningPid(cluster, name) !== undefined)
    .flatMap(name => {
      const [, port, target] = FORWARD.exec(name) ?? [];
      return target === undefined ? [] : [{ port: Number(port), target }];
    });

/** Starts a forwarder unless there is one for this target, and returns its port. */
export const forwardToLoopback = async (cluster: Cluster, target: string, wantedPort?: number): Promise<number> => {
  const known = forwards(cluster).find(known => known.target === target);
  if (known !== undefined && (wantedPort ?? known.port) === known.port) return known.port;
  const port = wantedPort ?? (await freePorts(1))[0] ?? 0;
  const name = `forward-${port}-${target}`;
  startForward(cluster, name, port, target);
  await sleep(100);
  if (runningPid(cluster, name) === undefined) throw new Error(`port ${port}: ${logTail(cluster, name, 1)}`);
  return port;
};
