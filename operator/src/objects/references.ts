import { type App, isDevShelf } from './app.ts';

/** A Secret or ConfigMap that the pods cannot start without. */
export interface Reference {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  /** Keys that must be in it; none where it is taken as it is. */
  readonly keys: readonly string[];
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
      ...(secretRef ? [{ kind: 'Secret' as const, name: secretRef.name, keys: [] }] : []),
      ...(configMapRef ? [{ kind: 'ConfigMap' as const, name: configMapRef.name, keys: [] }] : []),
    ]),
  ]);
}

/** How an object is named among the contents that `releaseOf` takes. */
export const contentKey = ({ kind, name }: Pick<Reference, 'kind' | 'name'>): string => `${kind}/${name}`;

const secretKey = ({ name, key }: { name: string; key: string }): Reference => ({
  kind: 'Secret',
  name,
  keys: [key],
});

const configMapKey = ({ name, key }: { name: string; key: string }): Reference => ({
  kind: 'ConfigMap',
  name,
  keys: [key],
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
  return { ...a, keys: [...new Set([...a.keys, ...b.keys])] };
}
