// What makes one release differ from another.
import { createHmac } from 'node:crypto';
import { API_VERSION } from '../api/group.ts';
import { knownHosts } from '../api/hosts.ts';
import { parseResource } from '../api/resource.ts';
import type { ConfigurationCopy, Release } from '../api/rollout.ts';
import type { AppSpec } from '../api/schema/common.ts';
import type { DevShelfDeploymentSpec } from '../api/schema/devshelf.ts';
import type { App } from './app.ts';
import { copiesOf, withCopies } from './configuration.ts';
import { isRecord, shortHash } from './hash.ts';
import { hasWorker, servingTemplate, workerTemplate } from './pod-template.ts';

/** Hash of the content of each Secret and ConfigMap that the spec names, by kind and name as `contentKey` writes it. */
export type Contents = Readonly<Record<string, string>>;

/**
 * The release that the spec asks for, its pod templates rendered.
 *
 * The hash is over what the spec says, not over the rendered template: a newer operator may render the same spec
 * differently, and must not restart a single pod by that.
 * @param sealed what of the contents goes into the hash, as `seal` gives it
 */
export function releaseOf(app: App, contents: Contents, databaseIdentity: string, sealed = contents): Release {
  return releaseKnown(app, { hash: releaseHash(app, sealed), databaseIdentity, configMaps: copiesOf(app, contents) });
}

/** The same of which it is known already what its contents come to. */
export function releaseKnown(
  app: App,
  about: {
    readonly hash: string;
    readonly databaseIdentity: string;
    readonly configMaps: readonly ConfigurationCopy[];
  },
): Release {
  const { hash, databaseIdentity, configMaps } = about;
  const migrationId = migrationIdOf(app, databaseIdentity);
  const seen = withCopies(app, configMaps);
  const hosts = knownHosts(app);
  return {
    hash,
    image: app.spec.image,
    template: servingTemplate(seen, hash),
    ...(hasWorker(seen) && { worker: workerTemplate(seen, hash) }),
    ...(configMaps.length > 0 && { configMaps }),
    ...(hosts.length > 0 && { hosts }),
    ...(migrationId !== undefined && { migrationId }),
  };
}

/**
 * The contents as they may go into a release's hash. That stands on every pod: over bare contents, who may read pods
 * could try passwords against it, as many a second as his machine hashes. Keyed with a seed that only who reads Secrets
 * knows, it says no more than that something is different.
 */
export function seal(contents: Contents, seed: string): Contents {
  const keyed = (text: string) => createHmac('sha256', seed).update(text).digest('hex').slice(0, 16);
  return Object.fromEntries(Object.entries(contents).map(([key, hash]) => [key, keyed(hash)]));
}

/** Ten hex digits over all that changes pods. */
export function releaseHash(app: App, contents: Contents): string {
  return shortHash({ kind: app.kind, spec: difference(podInputs(app.spec), DEFAULTS[app.kind]), contents });
}

/**
 * Names what a migration Job does, so that asking for it twice makes one Job.
 * Undefined when migrations are disabled.
 */
export function migrationIdOf(app: App, databaseIdentity: string): string | undefined {
  const { image, migrations } = app.spec;
  if (migrations.policy === 'Disabled') return undefined;
  const agreed = agreedBefore(app);
  return shortHash({
    image,
    command: migrations.command,
    direction: 'up',
    database: databaseIdentity,
    ...(agreed.length > 0 && { contract: agreed }),
    ...(migrations.verifyCommand && { verify: migrations.verifyCommand }),
  });
}

/** What the release's own Job may take away, in a fixed order. */
export function agreedBefore({ spec: { migrations } }: App): readonly string[] {
  const { allow, when } = migrations.contract;
  return when === 'BeforeRollout' && isOurRunner(migrations.command) ? [...allow].sort() : [];
}

/** It gives a verdict of its own, and can leave out what takes something away. */
export const isOurRunner = ([program]: readonly string[]): boolean => program === 'migrate';

/**
 * The fields that change pods. Not here, because they change no pod: replicas, autoscaling, migrations, rollout,
 * service, monitoring, networkPolicy, disruption, paused.
 */
function podInputs(spec: AppSpec & Partial<Pick<DevShelfDeploymentSpec, 'redis' | 'worker'>>) {
  return {
    image: spec.image,
    imagePullSecrets: spec.imagePullSecrets,
    database: spec.database,
    redis: spec.redis,
    extraEnv: spec.extraEnv,
    envFrom: spec.envFrom,
    probes: spec.probes,
    resources: spec.resources,
    podTemplate: spec.podTemplate,
    topologySpread: spec.topologySpread,
    exposure: exposureInputs(spec.exposure),
    // how many workers run changes none of them, and without a queue there are none
    worker: spec.redis && spec.worker && { resources: spec.worker.resources },
  };
}

/** Routers, certificates and parents change no pod. */
function exposureInputs({ type, hosts, forceHTTPS, hsts, trustedProxies }: AppSpec['exposure']) {
  return type === 'None' ? undefined : { hosts, forceHTTPS, hsts, trustedProxies };
}

/**
 * The inputs of a spec that says as little as possible. Only what differs from it is hashed, so a field that a later
 * version adds with a default leaves the hashes of existing specs as they are. The default of an existing field must
 * never change: it would look like a new release. `release.test.ts` pins both.
 */
const LEAST = { image: 'x:x', database: { urlSecretRef: { name: 'x' } } };
const DEFAULTS: Readonly<Record<App['kind'], ReturnType<typeof podInputs>>> = {
  DevShelfDeployment: leastInputs('DevShelfDeployment', { ...LEAST, redis: LEAST.database }),
  DashboardDeployment: leastInputs('DashboardDeployment', LEAST),
};

function leastInputs(kind: App['kind'], spec: object) {
  const metadata = { name: 'x', namespace: 'x', uid: 'x' };
  const read = parseResource({ apiVersion: API_VERSION, kind, metadata, spec });
  if (!read.ok) throw new Error(read.why);
  return podInputs(read.resource.spec);
}

/**
 * What `value` says otherwise than `base`, field by field. A field that only `base` has is null, so two values differ
 * from the same base in the same way only if they are equal.
 */
function difference(value: unknown, base: unknown): unknown {
  if (value === undefined) return null;
  if (!isRecord(value) || !isRecord(base)) return value;
  const keys = [...new Set([...Object.keys(value), ...Object.keys(base)])];
  return Object.fromEntries(
    keys.filter(key => !isSame(value[key], base[key])).map(key => [key, difference(value[key], base[key])]),
  );
}

/** Whether both are the same JSON. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (!isRecord(a) || !isRecord(b)) return false;
  return Object.keys({ ...a, ...b }).every(key => isSame(a[key], b[key]));
}
