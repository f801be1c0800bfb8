import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { names } from './names.ts';

/** The key inside the Secret. */
export const SEED = 'seed';

/**
 * A random of the resource, made once: hashes of its releases are keyed with it (`seal`). No pod mounts it. With another
 * one every release has another hash: what serves would be released once more, and what was rejected tried once more. So
 * there are two Secrets of it, and the one that somebody removes comes back from the other.
 */
export const releaseSeeds = (app: App, bytes: Uint8Array): readonly KubeObject[] =>
  [names.releaseSeed, names.releaseSeedCopy].map(nameFor => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: childMeta(app, nameFor(app.metadata.name), childLabels(app)),
    type: 'Opaque',
    immutable: true,
    data: { [SEED]: Buffer.from(bytes).toString('base64') },
  }));
