// Flux's source-controller and kustomize-controller as processes on loopback, for the objects of a real API server.
import type { ApiServer } from '../cluster/apiserver.ts';
import { freePorts } from '../cluster/ports.ts';
import { type Program, startProgram } from './program.ts';

export const FLUX_NAMESPACE = 'flux-system';

export interface Flux {
  /** Ends kustomize-controller in the middle of whatever it does, and starts it with these feature gates. */
  restart(...featureGates: readonly string[]): Promise<void>;
  /** What kustomize-controller printed. */
  log(): string;
  stop(): Promise<void>;
}

/** As `flux install` has them, but for leader election and for where they listen. */
export async function startFlux(api: ApiServer): Promise<Flux> {
  const [storage] = await freePorts(1);
  const source = await start(api, 'source-controller', folder => [
    `--storage-path=${folder}`,
    `--storage-addr=127.0.0.1:${storage}`,
    `--storage-adv-addr=127.0.0.1:${storage}`,
  ]);
  const kustomize = (gates: readonly string[]): Promise<Program> =>
    start(api, 'kustomize-controller', () => (gates.length === 0 ? [] : [`--feature-gates=${gates.join(',')}`]));
  let running: Program | undefined;
  const restart = async (...gates: readonly string[]): Promise<void> => {
    await running?.stop();
    running = undefined;
    running = await kustomize(gates);
  };
  const stop = async (): Promise<void> => {
    await running?.stop();
    await source.stop();
  };
  try {
    await restart();
  } catch (error) {
    await stop();
    throw error;
  }
  return { restart, log: () => running?.log() ?? '', stop };
}

async function start(
  api: ApiServer,
  name: 'source-controller' | 'kustomize-controller',
  flags: (folder: string) => readonly string[],
): Promise<Program> {
  const [health, metrics] = await freePorts(2);
  return startProgram(name, {
    flags: folder => [
      '--watch-all-namespaces',
      '--log-level=info',
      `--health-addr=127.0.0.1:${health}`,
      `--metrics-addr=127.0.0.1:${metrics}`,
      ...flags(folder),
    ],
    env: { KUBECONFIG: api.adminKubeconfigPath, RUNTIME_NAMESPACE: FLUX_NAMESPACE },
    answers: async () => {
      const { ok, status } = await fetch(`http://127.0.0.1:${health}/readyz`);
      if (!ok) throw new Error(`${name}: /readyz answers ${status}`);
    },
  });
}
