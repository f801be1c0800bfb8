// A real Kubernetes for scenarios, native by default, kind with CLUSTER=kind:
//
//   await up();                                      idempotent; returns when the node is Ready and names resolve
//   await loadImages(await allImages());             from images.ts; unchanged ones are skipped
//   await kubectl(['apply', '-f', 'x.yaml']);        from the host; standard output
//   insideNode(['node', 'load.ts', ...], options);   a child process that sees pod and Service addresses
//   await forwardToLoopback('10.96.1.2:80');         the port on 127.0.0.1 of this machine
//   await pausePod(namespace, pod); resumePod(…)     its containers stand still (frozen, not killed)
//   await down();
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { binaryPath } from './binaries.ts';
import { isKind } from './engine.ts';
import type { Image } from './images.ts';
import { kind } from './kind.ts';
import { native } from './native.ts';
import { run } from './run.ts';

export type ClusterStatus = {
  readonly name: string;
  readonly up: boolean;
  /** The node's line in `kubectl get nodes`, or why it could not be read. */
  readonly node: string;
  readonly kubeconfig: string;
  readonly folder: string;
  readonly components: readonly { readonly name: string; readonly pid: number | undefined; readonly log: string }[];
};

export type Forward = { readonly target: string; readonly port: number };

export type Backend = {
  readonly name: string;
  readonly kubeconfig: string;
  readonly nodeKubeconfig: string;
  /** What to put before a command so that it runs in the node's network. */
  readonly enterNode: () => string[];
  /** containerd's own client, for the containers of pods. */
  readonly ctr: () => string[];
  readonly up: () => Promise<void>;
  readonly down: () => Promise<void>;
  readonly status: () => Promise<ClusterStatus>;
  readonly loadImages: (images: readonly Image[]) => Promise<void>;
  readonly loadArchive: (archive: string) => Promise<void>;
  readonly forwardToLoopback: (target: string, port?: number) => Promise<number>;
  readonly forwards: () => readonly Forward[];
};

let chosen: Backend | undefined;
const backend = (): Backend => {
  chosen ??= isKind() ? kind() : native();
  return chosen;
};

/** Starts the cluster unless it is up. Throws with the end of the log of what failed. */
export const up = (): Promise<void> => backend().up();

/** Removes the cluster and everything in it, also what is left of one that was killed. */
export const down = (): Promise<void> => backend().down();

export const status = (): Promise<ClusterStatus> => backend().status();

/** A kubeconfig (cluster administrator) for programs on this machine. */
export const kubeconfigPath = (): string => backend().kubeconfig;

/** The same for programs started with `insideNode`. */
export const nodeKubeconfigPath = (): string => backend().nodeKubeconfig;

/** Starts a command in the node's network namespace: it reaches pods and Services by their addresses, not by name. */
export const insideNode = (command: readonly string[], options: SpawnOptions = {}): ChildProcess => {
  const [program = '', ...args] = [...backend().enterNode(), ...command];
  return spawn(program, args, options);
};

/** Runs kubectl on this machine and returns its standard output; `input` is its standard input. */
export const kubectl = (args: readonly string[], input?: string): Promise<string> =>
  run([binaryPath('kubectl'), '--kubeconfig', kubeconfigPath(), ...args], input === undefined ? {} : { input });

/** Makes images known to the node. What it has already is skipped. */
export const loadImages = (images: readonly Image[]): Promise<void> => backend().loadImages(images);

/** Makes the images of any OCI or docker archive known to the node. */
export const loadArchive = (archive: string): Promise<void> => backend().loadArchive(archive);

/** The same under the digest of what is in it, `name@sha256:…`: as a node imports a release without a registry. */
export const importByDigest = (archive: string, name: string): Promise<string> =>
  run([...backend().ctr(), 'images', 'import', '--digests', '--base-name', name, archive]);

/** The node has it no longer, and nowhere to get it from. */
export const forgetImage = (reference: string): Promise<string> =>
  run([...backend().ctr(), 'images', 'remove', '--sync', reference]);

/** A port on 127.0.0.1 of this machine that leads to `address:port` in the cluster. The same target keeps its port. */
export const forwardToLoopback = (target: string, port?: number): Promise<number> =>
  backend().forwardToLoopback(target, port);

/** The forwarders that are running. */
export const forwards = (): readonly Forward[] => backend().forwards();

/** Freezes the containers of a pod: they keep their connections and answer nothing, as a machine that is stuck. */
export const pausePod = (namespace: string, pod: string): Promise<void> => tasks('pause', namespace, pod);

/** Lets a paused pod go on. */
export const resumePod = (namespace: string, pod: string): Promise<void> => tasks('resume', namespace, pod);

const tasks = async (verb: 'pause' | 'resume', namespace: string, pod: string): Promise<void> => {
  const ids = 'jsonpath={.status.containerStatuses[*].containerID}';
  const containers = await kubectl(['get', 'pod', pod, '--namespace', namespace, '--output', ids]);
  for (const container of containers.split(' ')) {
    await run([...backend().ctr(), 'tasks', verb, container.replace('containerd://', '')]);
  }
};
