// What makes one release differ from another.
import { type AppSpec, type DevShelfDeploymentSpec, dashboardSpec, devshelfSpec } from '../api/index.ts';
import type { Release } from '../api/rollout.ts';
import type { App } from './app.ts';
import { canonicalJson, isRecord, shortHash } from './hash.ts';
import { hasWorker, servingTemplate, workerTemplate } from './pod-template.ts';

/** Hash of the content of each Secret and ConfigMap that the spec names, by kind and name as `contentKey` writes it. */
export type Contents = Readonly<Record<string, string>>;

/**
 * The release that the spec asks for, its pod templates rendered.
 *
 * The hash is over what the spec says, not over the rendered template: a newer operator may render the same spec
 * differently, and must not restart a single pod by that.
 */
export function releaseOf(app: App, contents: Contents, databaseIdentity: string): Release {
  const hash = releaseHash(app, contents);
  const migrationId = migrationIdOf(app, databaseIdentity);
  return {
    hash,
    image: app.spec.image,
    template: servingTemplate(app, hash),
    ...(hasWorker(app) && { worker: workerTemplate(app, hash) }),
    ...(migrationId !== undefined && { migrationId }),
  };
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
  return shortHash({ image, command: migrations.command, direction: 'up', database: databaseIdentity });
}

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
    // how many workers run changes none of them, and without a queue there are none
    worker: spec.redis && spec.worker && { resources: spec.worker.resources },
  };
}

/**
 * The inputs of a spec that says as little as possible. Only what differs from it is hashed, so a field that a later
 * version adds with a default leaves the hashes of existing specs as they are. The default of an existing field must
 * never change: it would look like a new release. `release.test.ts` pins both.
 */
const LEAST = { image: 'x:x', database: { urlSecretRef: { name: 'x' } } };
const DEFAULTS: Readonly<Record<App['kind'], ReturnType<typeof podInputs>>> = {
  DevShelfDeployment: podInputs(devshelfSpec.parse({ ...LEAST, redis: LEAST.database })),
  DashboardDeployment: podInputs(dashboardSpec.parse(LEAST)),
};

/**
 * What `value` says otherwise than `base`, field by field. A field that only `base` has is null, so two values differ
 * from the same base in the same way only if they are equal.
 */
function difference(value: unknown, base: unknown): unknown {
  if (value === undefined) return null;
  if (!isRecord(value) || !isRecord(base)) return value;
  const keys = [...new Set([...Object.keys(value), ...Object.keys(base)])];
  return Object.fromEntries(
    keys
      .filter(key => canonicalJson(value[key]) !== canonicalJson(base[key]))
      .map(key => [key, difference(value[key], base[key])]),
  );
}
