// Who builds images and runs the cluster: our own parts, or kind with a container engine.
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** `CLUSTER=kind` in the environment; the native cluster otherwise. */
export const isKind = (): boolean => {
  const wanted = process.env['CLUSTER'] || 'native';
  if (wanted !== 'native' && wanted !== 'kind') throw new Error(`CLUSTER=${wanted}: it is "native" or "kind"`);
  return wanted === 'kind';
};

export type Engine = 'buildah' | 'docker' | 'podman';

const isInstalled = (program: string): boolean =>
  (process.env['PATH'] ?? '').split(delimiter).some(path => existsSync(join(path, program)));

/** What builds images: buildah for the native cluster, the engine that is installed for kind. */
export const engine = (): Engine => {
  if (!isKind()) return 'buildah';
  const found = (['docker', 'podman'] as const).find(isInstalled);
  if (found === undefined) throw new Error('CLUSTER=kind needs docker or podman; without them leave CLUSTER away');
  return found;
};
