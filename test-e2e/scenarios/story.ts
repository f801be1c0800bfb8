// The steps of the story. Each does one thing to a real cluster and returns figures read off the records of the load
// generator and of the API server, never the operator's own.
import { kubectl } from '../cluster/cluster.ts';
import { sleep } from '../cluster/run.ts';
import { makeBusy } from './busy.ts';
import { apply, get, type KubeObject, list, patch, remove } from './kube.ts';
import { createSecrets, freshNamespace, pausePostgresql, sql, startStores } from './namespace.ts';
import { type Away, followLeases, operatorPid, operatorsEnd } from './operator.ts';
import { API, outOfEndpoints, type Recording, type Rollout, record, rolloutChange, rolloutOf } from './recording.ts';
import type { Releases } from './releases.ts';
import { apiKey, between, isFailed, isHarmed, startTraffic, type Traffic } from './traffic.ts';
import { until } from './wait.ts';

export const REQUESTS_PER_SECOND = 20;
const KEPT_REQUESTS_PER_SECOND = 10;
const DEVSHELF_REQUESTS_PER_SECOND = 5;

/** Short enough to watch; the limit of 5 % and everything else are the defaults. */
const ROLLOUT = { minReadySeconds: 2, bakeSeconds: 30, analysis: { minimumSeconds: 10 } };

/** Says what happens, to whoever follows the story. */
export type Tell = (line: string) => void;

export type Stage = {
  readonly namespace: string;
  readonly releases: Releases;
  readonly recording: Recording;
  readonly tell: Tell;
};

export type DashboardSpec = Readonly<Record<string, unknown>>;

/**
 * One client makes all the load, so its limit would be reached at once; and every answer is to come from the database,
 * so that an outage is seen while it lasts.
 */
export const UNDER_LOAD = [
  { name: 'DASHBOARD_RATELIMIT_ENABLED', value: 'false' },
  { name: 'DASHBOARD_CACHE_SECONDS', value: '0' },
];

export const dashboard = (
  namespace: string,
  image: string,
  more: DashboardSpec = {},
  name = 'dashboard',
): KubeObject => ({
  apiVersion: 'apps.devshelf.dev/v1alpha1',
  kind: 'DashboardDeployment',
  metadata: { name, namespace },
  spec: {
    image,
    replicas: 3,
    database: { urlSecretRef: { name: 'dashboard-db' } },
    extraEnv: UNDER_LOAD,
    rollout: ROLLOUT,
    ...more,
  },
});

export const devshelf = (namespace: string, image: string): KubeObject => ({
  apiVersion: 'apps.devshelf.dev/v1alpha1',
  kind: 'DevShelfDeployment',
  metadata: { name: 'devshelf', namespace },
  spec: {
    image,
    replicas: 2,
    database: { urlSecretRef: { name: 'devshelf-db' } },
    redis: { urlSecretRef: { name: 'devshelf-redis' } },
    rollout: ROLLOUT,
  },
});

const path = (namespace: string, plural: string, name: string): string =>
  `/${API}/namespaces/${namespace}/${plural}/${name}`;
export const dashboardPath = (namespace: string, name = 'dashboard'): string =>
  path(namespace, 'dashboarddeployments', name);
export const devshelfPath = (namespace: string): string => path(namespace, 'devshelfdeployments', 'devshelf');
const deploymentPath = (namespace: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments/dashboard`;

/** Namespace, PostgreSQL, Redis and Secrets; everything in it is recorded from here on. */
export async function setTheStage(namespace: string, releases: Releases, tell: Tell): Promise<Stage> {
  await freshNamespace(namespace);
  const recording = await record(namespace, ({ type, object }) => {
    if (type === 'ADDED' && isWorthTelling(object)) tell(eventLine(object));
  });
  await createSecrets(namespace);
  await startStores(namespace, releases);
  return { namespace, releases, recording, tell };
}

// a rejection repeats what the event before it said
const isWorthTelling = (event: KubeObject): boolean =>
  event['reportingComponent'] === 'apps.devshelf.dev/operator' && event['reason'] !== 'ReleaseRejected';

const eventLine = ({ involvedObject, reason, message }: KubeObject): string =>
  `    ${involvedObject.name}: ${reason}: ${message}`;

const told = ({ metadata, status }: KubeObject): string =>
  `${metadata.name}: ${JSON.stringify((status?.conditions ?? []).filter(({ type }: { type: string }) => ['Ready', 'Stalled', 'Reconciling'].includes(type)))}`;

/** Waits until the dashboard is as asked; says what it was instead when it takes too long. */
export async function untilDashboard(
  namespace: string,
  what: string,
  matches: (app: KubeObject) => boolean | Promise<boolean>,
  seconds = 120,
  name = 'dashboard',
): Promise<KubeObject> {
  let last: KubeObject | undefined;
  const ask = async () => {
    last = await get(dashboardPath(namespace, name));
    return (await matches(last)) ? last : undefined;
  };
  return until(what, ask, { seconds, state: () => (last ? told(last) : '') });
}

export const isReady = ({ status, metadata }: KubeObject): boolean =>
  status?.observedGeneration === metadata.generation &&
  (status?.conditions ?? []).some(
    ({ type, status }: { type: string; status: string }) => type === 'Ready' && status === 'True',
  );

export const isReleased =
  (image: string) =>
  (app: KubeObject): boolean =>
    app['status']?.phase === 'Released' && app['status']?.currentImage === image;

export const isRejected =
  (image: string) =>
  (app: KubeObject): boolean =>
    app['status']?.phase === 'Failed' && app['status']?.rollout?.rejected?.image === image;

/** First install of both kinds; returns how long it took until both said Ready. */
export async function installBoth({ namespace, releases }: Stage): Promise<number> {
  const since = performance.now();
  await apply(dashboard(namespace, releases.first));
  await apply(devshelf(namespace, releases.devshelf));
  await untilDashboard(namespace, 'the dashboard to be Ready', isReady);
  await until('DevShelf to be Ready', async () => isReady(await get(devshelfPath(namespace))), { seconds: 120 });
  return performance.now() - since;
}

export type Users = {
  /** A new connection for each request: the figures of the story are theirs. */
  readonly dashboard: Traffic;
  /** Clients that keep their connections, as most do; a pod keeps those it has until it ends. */
  readonly kept: Traffic;
  readonly devshelf: Traffic;
};

/**
 * Users of both services, until they are stopped.
 * @param who of those who ask at the same time as others
 */
export async function startUsers({ namespace }: Stage, who = ''): Promise<Users> {
  // as a browser's: what no rehearsal knows of
  const headers = { 'x-api-key': await apiKey(namespace, 'dashboard'), 'accept-language': 'es-AR,es;q=0.9' };
  const ofDashboard = { namespace, service: 'dashboard', paths: ['/api/summary', '/api/providers'], headers, who };
  return {
    dashboard: await startTraffic({ ...ofDashboard, rate: REQUESTS_PER_SECOND }),
    kept: await startTraffic({ ...ofDashboard, rate: KEPT_REQUESTS_PER_SECOND, clients: KEPT_REQUESTS_PER_SECOND }),
    devshelf: await startTraffic({
      namespace,
      service: 'devshelf',
      paths: ['/api/v1/resources'],
      rate: DEVSHELF_REQUESTS_PER_SECOND,
      who,
    }),
  };
}

export const stopUsers = (users: Users): Promise<unknown> =>
  Promise.all(Object.values(users).map(traffic => traffic.stop()));

/** What people do: change one line. */
export async function release({ namespace, tell }: Stage, image: string, rollout: object = {}): Promise<number> {
  tell(`$ kubectl -n ${namespace} patch dbd dashboard --type merge -p '{"spec":{"image":"${image}"}}'`);
  await patch(dashboardPath(namespace), { spec: { image, rollout } });
  return Date.now();
}

export type GoodRelease = {
  readonly requests: number;
  readonly failed: number;
  readonly failedKept: number;
  readonly seconds: number;
};

/** A release with nothing wrong, from the change of its image to its end as the new stable. */
export async function goodRelease(stage: Stage, users: Users, image: string): Promise<GoodRelease> {
  const from = await release(stage, image);
  await untilDashboard(stage.namespace, `${image} to be released`, isReleased(image), 240);
  const to = Date.now();
  await sleep(6_000); // the last ones may take as long as the client's patience
  const answers = between(users.dashboard.answers(), from, to);
  return {
    requests: answers.length,
    failed: answers.filter(isFailed).length,
    failedKept: between(users.kept.answers(), from, to).filter(isFailed).length,
    seconds: (to - from) / 1000,
  };
}

/** A release that cannot start: rejected before any user meets it. */
export async function brokenStart(stage: Stage, users: Users): Promise<{ harmed: number; seconds: number }> {
  const image = stage.releases.brokenStart;
  const from = await release(stage, image);
  await untilDashboard(stage.namespace, `${image} to be rejected`, isRejected(image));
  const to = Date.now();
  await sleep(1_000);
  return { harmed: between(users.dashboard.answers(), from, to).filter(isHarmed).length, seconds: (to - from) / 1000 };
}

export type Rehearsed = {
  readonly harmed: number;
  readonly seconds: number;
  /** From the readiness of its rehearsal pod, by the kubelet's word, to the verdict; both to the second. */
  readonly readyToVerdictSeconds: number;
  readonly reason: string;
  readonly evidence: string;
};

/** A release that answers half of all requests with 500: its rehearsal is asked what users asked of late. */
export async function rehearsedBad(stage: Stage, users: Users): Promise<Rehearsed> {
  const image = stage.releases.bad;
  const pods = `/api/v1/namespaces/${stage.namespace}/pods?labelSelector=app.kubernetes.io/component=rehearsal`;
  let ready = 0;
  const from = await release(stage, image);
  const app = await untilDashboard(stage.namespace, `${image} to be rejected`, async app => {
    for (const { status } of await list(pods)) {
      const condition = (status?.conditions ?? []).find(({ type }: { type: string }) => type === 'Ready');
      if (condition?.status === 'True') ready ||= Date.parse(condition.lastTransitionTime);
    }
    return isRejected(image)(app);
  });
  const to = Date.now();
  await sleep(1_000);
  const { reason, evidence, since } = app['status'].rollout.rejected;
  return {
    harmed: between(users.dashboard.answers(), from, Date.now()).filter(isHarmed).length,
    seconds: (to - from) / 1000,
    readyToVerdictSeconds: (Date.parse(since) - ready) / 1000,
    reason,
    evidence,
  };
}

export type BadRelease = {
  readonly harmed: number;
  /** Those that the bad release answered: on a machine with too much to do the stable pods refuse some, too. */
  readonly harmedByIt: number;
  readonly harmedKept: number;
  readonly firstToLastErrorMs: number;
  readonly patchToEndpointsMs: number;
  readonly decisionToEndpointsMs: number;
  /** What the candidate answered altogether, errors included. */
  readonly candidateRequests: number;
  readonly evidence: string;
};

/**
 * A release that answers half of the users' requests with 500, from the canary's first request on, for what they send
 * in a header: no rehearsal finds it.
 * @param meanwhile what somebody does when its trial has begun
 */
export async function badRelease(
  stage: Stage,
  users: Users,
  image: string,
  meanwhile: () => Promise<unknown> = async () => {},
): Promise<BadRelease> {
  const from = await release(stage, image);
  await untilPhase(stage, 'Candidate', 240);
  await meanwhile();
  const app = await untilDashboard(stage.namespace, `${image} to be rejected`, isRejected(image));
  await untilSettled(stage);
  await sleep(1_000);
  const answers = between(users.dashboard.answers(), from, Date.now());
  const harmed = answers.filter(isHarmed);
  const errors = harmed.map(({ at, ms }) => at + ms);
  const out = withdrawal(stage, from);
  return {
    harmed: harmed.length,
    harmedByIt: harmed.filter(({ release }) => release === 'bad').length,
    harmedKept: between(users.kept.answers(), from, Date.now()).filter(isHarmed).length,
    firstToLastErrorMs: Math.round(Math.max(...errors) - Math.min(...errors)),
    ...out,
    candidateRequests: answers.filter(({ release }) => release === 'bad').length,
    evidence: app['status'].rollout.rejected.evidence,
  };
}

/** A bad release, and in the middle of its trial the service is scaled from 3 pods to 6, as an autoscaler would do. */
export async function badWhileScaledOut(stage: Stage, users: Users, image: string): Promise<BadRelease> {
  const { namespace, tell } = stage;
  const scaleTo = (replicas: number) => patch(dashboardPath(namespace), { spec: { replicas } });
  const measured = await badRelease(stage, users, image, async () => {
    tell('The service is scaled from 3 pods to 6 in the middle of the trial …');
    await scaleTo(6);
  });
  await scaleTo(3);
  await untilPods(stage, 3);
  return measured;
}

/** The same scaling with no release on its way: what the machine lets fail whoever releases. Requests harmed. */
export async function scaledOutAlone(stage: Stage, users: Users): Promise<number> {
  const scaleTo = (replicas: number) => patch(dashboardPath(stage.namespace), { spec: { replicas } });
  const from = Date.now();
  await scaleTo(6);
  await untilPods(stage, 6);
  await sleep(5_000);
  const to = Date.now();
  await scaleTo(3);
  await untilPods(stage, 3);
  return between(users.dashboard.answers(), from, to).filter(isHarmed).length;
}

/** A bad release, and in the middle of its trial a child of it is refused: a Service of a type that a quota forbids. */
export async function badWhileRefused(stage: Stage, users: Users, image: string): Promise<BadRelease> {
  const { namespace, tell } = stage;
  const quota = { metadata: { name: 'no-node-ports', namespace }, apiVersion: 'v1', kind: 'ResourceQuota' };
  await apply({ ...quota, spec: { hard: { 'services.nodeports': '0' } } });
  const serviceOf = (type: string) => patch(dashboardPath(namespace), { spec: { service: { type } } });
  try {
    return await badRelease(stage, users, image, async () => {
      tell('Its Service is to be a NodePort from now on, which a quota forbids …');
      await serviceOf('NodePort');
    });
  } finally {
    await serviceOf('ClusterIP');
    await remove(`/api/v1/namespaces/${namespace}/resourcequotas/${quota.metadata.name}`);
  }
}

export const untilPods = (stage: Stage, count: number, seconds = 120): Promise<unknown> =>
  until(
    `${count} pods`,
    async () => {
      const { status } = await get(deploymentPath(stage.namespace));
      return status.replicas === count && status.readyReplicas === count;
    },
    { seconds },
  );

export type SlowRelease = {
  /** Users who waited for an answer of the release for longer than the threshold, and those answered wrongly. */
  readonly slowed: number;
  readonly failed: number;
  readonly firstToLastMs: number;
  readonly reason: string;
  readonly evidence: string;
};

/** A release whose every second answer takes a second longer. From here on slow is a fault: the policy stays. */
export async function slowRelease(stage: Stage, users: Users): Promise<SlowRelease> {
  const image = stage.releases.slow;
  const from = await release(stage, image, { analysis: { latency: { policy: 'Rollback' } } });
  const app = await untilDashboard(stage.namespace, `${image} to be rejected`, isRejected(image));
  await untilSettled(stage);
  await sleep(2_000);
  const answers = between(users.dashboard.answers(), from, Date.now());
  const slowed = answers.filter(({ release, ms }) => release === 'slow' && ms >= 500).map(({ at }) => at);
  const { reason, evidence } = app['status'].rollout.rejected;
  return {
    slowed: slowed.length,
    failed: answers.filter(isFailed).length,
    firstToLastMs: Math.round(Math.max(...slowed) - Math.min(...slowed)),
    reason,
    evidence,
  };
}

export type Undone = { readonly harmed: number; readonly restored: boolean; readonly left: boolean };

/** After a rollback the person on call says `kubectl rollout undo`, which brings the rejected release back. */
export async function undone(stage: Stage, users: Users, rejected: string): Promise<Undone> {
  const { namespace, tell } = stage;
  const from = Date.now();
  tell(`$ kubectl -n ${namespace} rollout undo deployment/dashboard`);
  await kubectl(['-n', namespace, 'rollout', 'undo', 'deployment/dashboard']);
  await sleep(12_000);
  const { spec } = await get(deploymentPath(namespace));
  const serves = JSON.stringify(spec.template);
  const pods = await list(`/api/v1/namespaces/${namespace}/pods?labelSelector=devshelf.dev/role=serving`);
  return {
    harmed: between(users.dashboard.answers(), from, Date.now()).filter(isHarmed).length,
    restored: !serves.includes(rejected),
    left: pods.some(pod => JSON.stringify(pod['spec']).includes(rejected)),
  };
}

/** From the operator's write, and from the decision that is in it, to the last endpoint of the release. */
function withdrawal({ recording }: Stage, from: number) {
  const taken = rolloutChange(recording, 'dashboard', from, ({ phase }) => phase.startsWith('RollingBack'));
  const { withdrawn } = (taken && rolloutOf(taken.object)) ?? {};
  if (!taken || !withdrawn) throw new Error('the Deployment was never rolled back');
  const out = outOfEndpoints(recording, 'dashboard', withdrawn.release, from);
  if (out === undefined) throw new Error('pods of the release that was taken back are still among the endpoints');
  return {
    patchToEndpointsMs: Math.round(out - taken.at),
    decisionToEndpointsMs: Math.round(out - Date.parse(withdrawn.at)),
  };
}

const currentRollout = async ({ namespace }: Stage): Promise<Rollout | undefined> =>
  rolloutOf(await get(deploymentPath(namespace)));

export const untilSettled = (stage: Stage): Promise<unknown> =>
  until('the Deployment to settle', async () => (await currentRollout(stage))?.phase === 'Settled', { seconds: 120 });

export const untilPhase = (stage: Stage, phase: string, seconds = 120): Promise<unknown> =>
  until(`the rollout to be ${phase}`, async () => (await currentRollout(stage))?.phase === phase, { seconds });

export type LateBad = {
  readonly harmed: number;
  readonly harmedKept: number;
  readonly decisionToOutMs: number;
  readonly firstToLastErrorMs: number;
};

/** What a release of the story reads that is bad later; the others never do. */
export const PRICE_LIST = (value: string): string =>
  `INSERT INTO configuracion_sistema (clave, valor) VALUES ('lista_de_precios', '${value}')
   ON CONFLICT (clave) DO UPDATE SET valor = excluded.valor`;

/** A release that passes its analysis and turns bad when it serves everybody. */
export async function lateBad(stage: Stage, users: Users): Promise<LateBad> {
  const image = stage.releases.lateBad;
  await sql(stage.namespace, PRICE_LIST('local'));
  const from = await release(stage, image);
  await untilPhase(stage, 'Baking');
  stage.tell(`${image} serves everybody. Now somebody changes a setting that only this release reads …`);
  await sleep(3_000);
  await sql(stage.namespace, PRICE_LIST('remota'));
  await untilDashboard(stage.namespace, `${image} to be rejected`, isRejected(image));
  await untilSettled(stage);
  await sleep(1_000);
  const errors = between(users.dashboard.answers(), from, Date.now())
    .filter(isHarmed)
    .map(({ at, ms }) => at + ms);
  return {
    harmed: errors.length,
    harmedKept: between(users.kept.answers(), from, Date.now()).filter(isHarmed).length,
    decisionToOutMs: withdrawal(stage, from).decisionToEndpointsMs,
    firstToLastErrorMs: Math.round(Math.max(...errors) - Math.min(...errors)),
  };
}

export type Outage = {
  readonly rollbacks: number;
  readonly harmed: number;
  readonly outageSeconds: number;
  /** From the end of the outage to the first minute-long calm: the last failed request. */
  readonly lastErrorAfterMs: number;
  /** From the end of the outage until the candidate was the new stable release. */
  readonly releasedAfterSeconds: number;
  readonly verdicts: readonly string[];
};

/** PostgreSQL stands still while a good candidate is judged: both versions fail, and neither is to blame. */
export async function sharedOutage(stage: Stage, users: Users, image: string, seconds: number): Promise<Outage> {
  const { namespace, tell, recording } = stage;
  const from = await release(stage, image);
  await untilPhase(stage, 'Candidate');
  await sleep(8_000); // the candidate answers users, and is not yet found good
  tell(`PostgreSQL is frozen for ${seconds} s: every version of the dashboard fails now …`);
  const paused = Date.now();
  const resume = await pausePostgresql(namespace);
  try {
    await sleep(seconds * 1000);
  } finally {
    await resume();
  }
  const resumed = Date.now();
  tell('PostgreSQL goes on.');
  await untilDashboard(namespace, `${image} to be released after the outage`, isReleased(image), 300);
  const released = Date.now();
  const answers = between(users.dashboard.answers(), from, released);
  const harmed = answers.filter(isHarmed);
  const last = Math.max(resumed, ...harmed.map(({ at, ms }) => at + ms));
  return {
    rollbacks: rollbacksSince(recording, from),
    harmed: harmed.length,
    outageSeconds: (resumed - paused) / 1000,
    lastErrorAfterMs: Math.round(last - resumed),
    releasedAfterSeconds: Math.round((released - resumed) / 100) / 10,
    verdicts: verdictsOf(recording, from),
  };
}

const rollbacksSince = ({ deployments }: Recording, from: number): number => {
  const back = deployments.filter(({ at, object }) => at >= from && rolloutOf(object)?.phase.startsWith('RollingBack'));
  return new Set(back.map(({ object }) => rolloutOf(object)?.withdrawn?.at)).size;
};

export type Overload = {
  readonly rollbacks: number;
  readonly away: Away;
  /** How, where it did: the kubelet's word and the process's last ones. */
  readonly operatorEnded: false | string;
  readonly harmed: number;
  readonly seconds: number;
};

/** A good release on a machine with ten times the work it can do: users may notice, the release is not to blame. */
export async function underLoad(stage: Stage, users: Users, image: string, load: number): Promise<Overload> {
  await untilDashboard(stage.namespace, 'what serves to be at rest', ({ status }) => status?.phase === 'Released');
  const before = await operatorPid();
  const leases = await followLeases();
  stage.tell(`The machine is given so much to do that its load is ${load} …`);
  const calm = makeBusy(load);
  try {
    const from = await release(stage, image);
    await untilDashboard(stage.namespace, `${image} to be released under load`, isReleased(image), 360);
    const to = Date.now();
    return {
      rollbacks: rollbacksSince(stage.recording, from),
      away: await leases(),
      operatorEnded: (await operatorPid()) !== before && (await operatorsEnd()),
      harmed: between(users.dashboard.answers(), from, to).filter(isHarmed).length,
      seconds: (to - from) / 1000,
    };
  } finally {
    calm();
  }
}

/** What the condition AnalysisPassed said, in order. */
const verdictsOf = ({ apps }: Recording, from: number): readonly string[] => {
  const reasons = apps
    .filter(({ at, object }) => at >= from && object.metadata.name === 'dashboard')
    .map(({ object }) =>
      (object['status']?.conditions ?? []).find(({ type }: { type: string }) => type === 'AnalysisPassed'),
    )
    .flatMap(condition => (condition ? [condition.reason as string] : []));
  return reasons.filter((reason, i) => reason !== reasons[i - 1]);
};
