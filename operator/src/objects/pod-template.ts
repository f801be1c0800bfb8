// What runs in a pod. Pod Security "restricted" holds for all of them, whatever the spec says.
import { isWeakening } from '../api/refused.ts';
import type { DevShelfDeployment } from '../api/resource.ts';
import type { PodTemplate } from '../api/rollout.ts';
import type { EnvVar, Probe, Resources } from '../api/schema/common.ts';
import { type App, childLabels, compact, containerPort, isDevShelf, servingLabels } from './app.ts';
import { exposureVariables } from './exposure.ts';
import { type KeyringPlace, keyringsOf, scrapeKeyring } from './keyring.ts';
import { COMPONENTS, CONTAINER, type Component, HTTP_PORT_NAME, LABELS, names } from './names.ts';

type Fields = Record<string, unknown>;

/** The pods that take users' requests. */
export function servingTemplate(app: App, release: string): PodTemplate {
  const { probes, resources, podTemplate } = app.spec;
  const keyrings = keyringsOf(app);
  const container = keyedContainer(
    app,
    keyrings,
    resources,
    [...exposureVariables(app), ...traceVariables(app, release)],
    {
      startupProbe: httpProbe(probes.startup),
      readinessProbe: httpProbe(probes.readiness),
      livenessProbe: httpProbe(probes.liveness),
      // keeps serving until every proxy has heard that the pod goes; zero seconds is an error on older API servers
      ...(podTemplate.preStopSleepSeconds > 0 && {
        lifecycle: { preStop: { sleep: { seconds: podTemplate.preStopSleepSeconds } } },
      }),
    },
  );
  return {
    metadata: podMetadata(app, COMPONENTS.server, { ...servingLabels(app), [LABELS.release]: release }),
    spec: podSpec(app, container, { ...keyringVolumes(keyrings), ...spread(app) }),
  };
}

/**
 * The background worker: the same image and environment, without the keys that only requests need. It listens for
 * /health and /metrics; a path chosen for the serving process may not exist there, so its probes ask /health.
 */
export function workerTemplate(app: DevShelfDeployment, release: string): PodTemplate {
  const { probes, worker } = app.spec;
  const keyrings = [scrapeKeyring(app)];
  const container = keyedContainer(app, keyrings, worker.resources, traceVariables(app, release), {
    args: ['worker'],
    startupProbe: httpProbe({ ...probes.startup, path: '/health' }),
    livenessProbe: httpProbe({ ...probes.liveness, path: '/health' }),
  });
  return {
    metadata: podMetadata(app, COMPONENTS.worker, { [LABELS.release]: release }),
    spec: podSpec(app, container, keyringVolumes(keyrings)),
  };
}

/** DevShelf has a worker where it has a queue. */
export function hasWorker(app: App): app is DevShelfDeployment {
  return isDevShelf(app) && app.spec.redis !== undefined;
}

/** Labels and annotations of a pod. The user's labels never replace ours: one of them could make a worker serve. */
export function podMetadata(app: App, component: Component, own: Record<string, string>): PodTemplate['metadata'] {
  const { labels = {}, annotations = {} } = app.spec.podTemplate;
  const reserved: readonly string[] = Object.values(LABELS);
  const users = Object.fromEntries(Object.entries(labels).filter(([key]) => !reserved.includes(key)));
  const harmless = Object.fromEntries(Object.entries(annotations).filter(([key]) => !isWeakening(key)));
  return {
    labels: { ...users, ...childLabels(app, component), ...own },
    ...(Object.keys(harmless).length > 0 && { annotations: harmless }),
  };
}

/** The pod around one container. `more` adds to or replaces fields of the pod. */
export function podSpec(app: App, container: Fields, more: Fields = {}): Fields {
  const { imagePullSecrets, podTemplate } = app.spec;
  const { volumes = [], ...fields } = more as { volumes?: readonly Fields[] };
  return compact({
    serviceAccountName: podTemplate.serviceAccountName ?? names.serviceAccount(app.metadata.name),
    automountServiceAccountToken: false,
    // a Service named "devshelf" would otherwise put DEVSHELF_PORT=tcp://… into the environment
    enableServiceLinks: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    imagePullSecrets: imagePullSecrets.length > 0 ? imagePullSecrets : undefined,
    containers: [container],
    volumes: [{ name: 'tmp', emptyDir: {} }, ...volumes],
    nodeSelector: podTemplate.nodeSelector,
    tolerations: podTemplate.tolerations,
    affinity: podTemplate.affinity,
    priorityClassName: podTemplate.priorityClassName,
    terminationGracePeriodSeconds: podTemplate.terminationGracePeriodSeconds,
    ...fields,
  });
}

/** A container of the release's image with the release's environment. `more` adds to or replaces fields. */
export function appContainer(app: App, resources: Resources, more: Fields = {}): Fields {
  const { image, envFrom } = app.spec;
  return compact({
    name: CONTAINER,
    image,
    env: environment(app),
    envFrom: envFrom.length > 0 ? envFrom : undefined,
    resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      readOnlyRootFilesystem: true,
    },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
    ...more,
  });
}

/** A long-running container: it has a port and the keys. */
function keyedContainer(
  app: App,
  keyrings: readonly KeyringPlace[],
  resources: Resources,
  variables: readonly EnvVar[],
  more: Fields,
): Fields {
  return appContainer(app, resources, {
    ports: [{ name: HTTP_PORT_NAME, containerPort: containerPort(app.kind), protocol: 'TCP' }],
    env: environment(app, [...keyrings.map(({ env, directory }) => ({ name: env, value: directory })), ...variables]),
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      ...keyrings.map(({ volume, directory }) => ({ name: volume, mountPath: directory, readOnly: true })),
    ],
    ...more,
  });
}

function keyringVolumes(keyrings: readonly KeyringPlace[]): Fields {
  return { volumes: keyrings.map(({ volume, secret }) => ({ name: volume, secret: { secretName: secret } })) };
}

/**
 * What the operator sets, then `extraEnv`. Of ours only NODE_ENV may be set by the user; names appear once, because
 * an apply with two entries of one name is refused.
 */
function environment(app: App, more: readonly EnvVar[] = []): readonly EnvVar[] {
  const { database, extraEnv } = app.spec;
  const redis = isDevShelf(app) ? app.spec.redis : undefined;
  const ours: readonly EnvVar[] = [
    { name: 'PORT', value: String(containerPort(app.kind)) },
    secretVariable('DATABASE_URL', database.urlSecretRef),
    ...(redis ? [secretVariable('REDIS_URL', redis.urlSecretRef)] : []),
    ...more,
  ];
  const taken = new Set(ours.map(({ name }) => name));
  const users = extraEnv.filter(({ name }) => !taken.has(name));
  const mode: readonly EnvVar[] = users.some(({ name }) => name === 'NODE_ENV')
    ? []
    : [{ name: 'NODE_ENV', value: 'production' }];
  return [...mode, ...ours, ...users];
}

/** Who sends traces says of which release it is. What the user says of that, or may say by `envFrom`, stays as it is. */
function traceVariables({ spec: { image, extraEnv, envFrom } }: App, release: string): readonly EnvVar[] {
  const isSet = (...variables: readonly string[]) => extraEnv.some(({ name }) => variables.includes(name));
  const isSending = isSet('OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT');
  if (!isSending || isSet('OTEL_RESOURCE_ATTRIBUTES') || envFrom.length > 0) return [];
  const value = `service.version=${encodeURIComponent(tagOf(image))},devshelf.release=${release}`;
  return [{ name: 'OTEL_RESOURCE_ATTRIBUTES', value }];
}

const tagOf = (image: string): string => image.split('@')[1] ?? image.slice(image.lastIndexOf(':') + 1);

function secretVariable(name: string, { name: secret, key }: { name: string; key: string }): EnvVar {
  return { name, valueFrom: { secretKeyRef: { name: secret, key } } };
}

function httpProbe({ path, ...timing }: Probe): Fields {
  return { httpGet: { path, port: HTTP_PORT_NAME }, ...timing };
}

/** Pods of one release spread among themselves: a candidate need not avoid the pods that it is to replace. */
function spread(app: App): Fields {
  const { topologySpread } = app.spec;
  if (topologySpread === 'Disabled') return {};
  const over = (topologyKey: string, whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway') => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector: { matchLabels: servingLabels(app) },
    matchLabelKeys: ['pod-template-hash'],
  });
  return {
    topologySpreadConstraints: [
      over('topology.kubernetes.io/zone', topologySpread === 'RequireZones' ? 'DoNotSchedule' : 'ScheduleAnyway'),
      over('kubernetes.io/hostname', 'ScheduleAnyway'),
    ],
  };
}
