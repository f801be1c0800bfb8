// The ConfigMaps of a release stay with it: its pods refer to copies that nobody can change, so a pod that starts next
// week has the content with which the release was found good. Secrets are not copied: a password that was changed
// outside has to reach earlier releases, too.
import type { ConfigurationCopy } from '../api/rollout.ts';
import { type App, childLabels, childMeta, type KubeObject } from './app.ts';
import { shortHash } from './hash.ts';
import { names } from './names.ts';
import { contentKey, type Reference, referencesOf } from './references.ts';

/** What is to be copied for a release whose ConfigMaps have these content hashes. */
export function copiesOf(app: App, contents: Readonly<Record<string, string>>): readonly ConfigurationCopy[] {
  return configMapsOf(app).map(({ name: source }) => {
    const content = contents[contentKey({ kind: 'ConfigMap', name: source })] ?? '';
    return { source, name: names.configuration(app.metadata.name, shortHash({ source, content })), content };
  });
}

/** The ConfigMaps that a spec names, with the keys that it takes of each. */
export const configMapsOf = (app: App): readonly Reference[] =>
  referencesOf(app).filter(({ kind }) => kind === 'ConfigMap');

/** The resource as its pods see it: each ConfigMap by the name of its copy. */
export function withCopies(app: App, copies: readonly ConfigurationCopy[]): App {
  const nameOf = (source: string): string => copies.find(copy => copy.source === source)?.name ?? source;
  const extraEnv = app.spec.extraEnv.map(variable => {
    const from = variable.valueFrom?.configMapKeyRef;
    return from ? { ...variable, valueFrom: { configMapKeyRef: { ...from, name: nameOf(from.name) } } } : variable;
  });
  const envFrom = app.spec.envFrom.map(source =>
    source.configMapRef
      ? { ...source, configMapRef: { ...source.configMapRef, name: nameOf(source.configMapRef.name) } }
      : source,
  );
  return { ...app, spec: { ...app.spec, extraEnv, envFrom } } as App;
}

export interface ConfigMapContent {
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
}

export function configurationCopy(
  app: App,
  { name }: ConfigurationCopy,
  { data, binaryData }: ConfigMapContent,
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: childMeta(app, name, childLabels(app)),
    immutable: true,
    ...(data && { data }),
    ...(binaryData && { binaryData }),
  };
}
