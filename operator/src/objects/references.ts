import { type App, isDevShelf } from './app.ts';
import { shortHash } from './hash.ts';

/** A Secret or ConfigMap that the pods cannot start without. */
export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  /** Keys that must be in it. */
  readonly keys: readonly string[];
  /** Every key of it becomes an environment variable. */
  readonly whole: boolean;
}

/**
 * Everything that the spec names and the pods need, each object once, in the order of the spec. Pull secrets are not
 * here: the kubelet goes on without them.
 */
export function referencesOf(app: App): readonly Reference[] {
  const { database, extraEnv, envFrom } = app.spec;
  const redis = isDevShelf(app) ? app.spec.redis : undefined;
  return merged([
    secretKey(database.urlSecretRef),
    ...(redis ? [secretKey(redis.urlSecretRef)] : []),
    ...extraEnv.flatMap(({ valueFrom }) => [
      ...(valueFrom?.secretKeyRef ? [secretKey(valueFrom.secretKeyRef)] : []),
      ...(valueFrom?.configMapKeyRef ? [configMapKey(valueFrom.configMapKeyRef)] : []),
    ]),
    ...envFrom.flatMap(({ secretRef, configMapRef }) => [
      ...(secretRef ? [{ kind: 'Secret' as const, name: secretRef.name, keys: [], whole: true }] : []),
      ...(configMapRef ? [{ kind: 'ConfigMap' as const, name: configMapRef.name, keys: [], whole: true }] : []),
    ]),
  ]);
}

/**
 * Hash of what the pods take from the object; other keys may change without a new release.
 * @param data the object's `data` as it is stored
 */
export function contentHash({ keys, whole }: Reference, data: Readonly<Record<string, string>>): string {
  return shortHash(whole ? data : Object.fromEntries(keys.map(key => [key, data[key]])));
}

/** How an object is named among the contents that `releaseOf` takes. */
export const contentKey = ({ kind, name }: Pick<Reference, 'kind' | 'name'>): string => `${kind}/${name}`;

const secretKey = ({ name, key }: { name: string; key: string }): Reference => ({
  kind: 'Secret',
  name,
  keys: [key],
  whole: false,
});

const configMapKey = ({ name, key }: { name: string; key: string }): Reference => ({
  kind: 'ConfigMap',
  name,
  keys: [key],
  whole: false,
});

function merged(references: readonly Reference[]): readonly Reference[] {
  const byName = new Map<string, Reference>();
  for (const reference of references) {
    const known = byName.get(contentKey(reference));
    byName.set(contentKey(reference), known ? both(known, reference) : reference);
  }
  return [...byName.values()];
}

function both(a: Reference, b: Reference): Reference {
  return { ...a, keys: [...new Set([...a.keys, ...b.keys])], whole: a.whole || b.whole };
}
