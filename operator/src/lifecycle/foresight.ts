// What becomes of a snapshot when everything goes well: the runbook's own decisions, one after the other, and a world in
// which every pod starts, every Job succeeds and every verdict is good. Nothing is written; so a person can be told what
// a spec would do before it is applied.
//
// Promised: what is refused is refused here by the same functions, in the same words. Assumed: whatever has ended badly by
// now has, and nothing else does. Not foreseen are rotations of keys, which are beside every release.
import { type IncidentSummary, rotationId } from '../api/incident.ts';
import { type Release, type RolloutRecord, releaseInForce, releaseOnTrial } from '../api/rollout.ts';
import { ANNOTATIONS, incidentName, names } from '../objects/names.ts';
import type { Action } from './decision.ts';
import { decide, type Plan } from './plan.ts';
import {
  inPhase,
  type JobVerdict,
  type JobView,
  type Judgement,
  type PodView,
  type Revision,
  revisionOf,
  type Snapshot,
  taskText,
  type WorkloadView,
} from './snapshot.ts';

export type Step = { readonly action: Action } & NonNullable<Plan['said']>;

export type Foresight = {
  /** `rests`: what the spec asks for serves, and is stable. `refused`: a person is needed. `waits`: for what nobody knows. */
  readonly end: 'rests' | 'refused' | 'waits';
  readonly steps: readonly Step[];
  /** Why it is refused, or what it waits for; at rest what is said then. */
  readonly reason: string;
  readonly message: string;
};

/** What has not ended by then goes round in a circle. */
const MOST_PASSES = 300;
/** Passes in a row without an action, after which nothing else will happen: on the way, and before or after it. */
const STILL = 20;
const AT_REST = 4;

/** Pure: the same snapshot gives the same story. */
export function foresee(seen: Snapshot): Foresight {
  const steps: Step[] = [];
  let world = seen;
  let still = 0;
  for (let pass = 0; pass < MOST_PASSES && still < (isMoving(world) ? STILL : AT_REST); pass += 1) {
    const { action, said, recheckMs } = decide(world);
    if (action && said) steps.push({ action, ...said });
    still = action ? 0 : still + 1;
    world = action ? after(world, action) : onward(world, still > AT_REST ? untilBakeEnds(world) : recheckMs);
  }
  return { steps, ...endOf(world) };
}

function endOf(world: Snapshot): Omit<Foresight, 'steps'> {
  const { conditions } = decide(world);
  const of = (wanted: string) => conditions.find(({ type }) => type === wanted);
  const stalled = of('Stalled');
  if (stalled) return { end: 'refused', ...wordsOf(stalled) };
  const reconciling = of('Reconciling');
  if (!reconciling && isAtRest(world)) return { end: 'rests', ...wordsOf(of('Ready')) };
  return { end: 'waits', ...wordsOf(reconciling ?? of('Ready')) };
}

const isMoving = (world: Snapshot): boolean => world.deployment !== undefined && !inPhase(world, 'Settled');

const wordsOf = (said: { reason: string; message: string } | undefined) => ({
  reason: said?.reason ?? 'Progressing',
  message: said?.message ?? '',
});

const isAtRest = ({ deployment, wanted }: Snapshot): boolean =>
  deployment?.record.phase === 'Settled' && wanted.known && wanted.value.release.hash === deployment.record.release;

/** What the cluster holds when the action is done. */
function after(world: Snapshot, action: Action): Snapshot {
  const { now, revisions, jobs, rehearsals, incidents = [], standing = [], keys, deployment } = world;
  switch (action.do) {
    case 'mintKeyring':
      return {
        ...world,
        keys: keys.map(key => ({ ...key, keyringPresent: key.keyringPresent || key.keyring === action.keyring })),
      };
    case 'publishKey':
      return {
        ...world,
        keys: keys.map(key => ({ ...key, clientPresent: key.clientPresent || key.keyring === action.keyring })),
      };
    case 'mintSeed': {
      const { lacksSeed: _made, ...rest } = world;
      return rest;
    }
    case 'createRevision':
      return {
        ...world,
        revisions: [...revisions, annotated(newRevision(world, action.release, action.revision), action.set ?? {})],
      };
    case 'annotateRevision':
      return {
        ...world,
        revisions: revisions.map(one => (one.name === action.revision ? annotated(one, action.set) : one)),
      };
    case 'createIncident':
      return action.record.kind
        ? { ...world, standing: [...standing, summaryOf(world, action)] }
        : { ...world, incidents: [...incidents, summaryOf(world, action)] };
    case 'rememberRefusals':
      return deployment ? { ...world, deployment: { ...deployment, refusals: action.refusals } } : world;
    case 'deleteRevision':
      return {
        ...world,
        revisions: revisions.filter(({ name }) => name !== action.revision),
        incidents: incidents.filter(({ name }) => name !== action.revision),
        standing: standing.filter(({ name }) => name !== action.revision),
      };
    case 'copyConfigMaps':
      return {
        ...world,
        configMaps: [...world.configMaps, ...(action.release.configMaps ?? []).map(({ name }) => name)],
      };
    case 'deleteConfigMap':
      return { ...world, configMaps: world.configMaps.filter(name => name !== action.name) };
    case 'createMigrationJob': {
      const name = names.migrationJob(world.app.metadata.name, action.migrationId);
      return {
        ...world,
        jobs: [...jobs, jobOf(now, { name, migrationId: action.migrationId, release: action.release.hash })],
      };
    }
    case 'createSchemaJob':
    case 'createBackup': {
      const task = taskText(action.task);
      return {
        ...world,
        jobs: [...jobs, jobOf(now, { name: task, migrationId: '', release: action.release.hash, task })],
      };
    }
    case 'deleteJob':
      return { ...world, jobs: jobs.filter(({ uid, name }) => uid !== action.uid || name !== action.job) };
    case 'createRehearsal': {
      const nameFor = action.worker ? names.workerRehearsal : names.rehearsal;
      const name = nameFor(world.app.metadata.name, action.release.hash);
      return { ...world, rehearsals: [...rehearsals, podOf(now, action.release.hash, name)] };
    }
    case 'rehearse': {
      const { attempt: attempts } = action;
      const rehearsal = { passed: true, attempts, message: 'answers', at: new Date(now).toISOString() };
      return {
        ...world,
        revisions: revisions.map(one => (one.name === action.revision ? { ...one, rehearsal } : one)),
      };
    }
    case 'deletePod':
      return { ...world, rehearsals: rehearsals.filter(({ uid }) => uid !== action.uid) };
    case 'hurryPod':
      return { ...world, pods: world.pods.filter(({ uid }) => uid !== action.uid) };
    case 'adopt':
      return { ...world, orphans: [] };
    case 'recoverRevision':
    case 'setRecord':
      return action.do === 'setRecord' ? recorded(world, action.record) : world;
    case 'rotateKey':
    case 'handOverKey':
    case 'syncPods':
      // beside the releases: nothing of it is foreseen
      return { ...world, keys: keys.map(({ record: _under, content: _way, ...key }) => key) };
  }
}

const FIELDS = {
  [ANNOTATIONS.verdict]: 'verdict',
  [ANNOTATIONS.migration]: 'migration',
  [ANNOTATIONS.downgrade]: 'downgrade',
  [ANNOTATIONS.gone]: 'gone',
  [ANNOTATIONS.rehearsal]: 'rehearsal',
  [ANNOTATIONS.served]: 'served',
  [ANNOTATIONS.retryToken]: 'retryToken',
  [ANNOTATIONS.attempt]: 'attempt',
} as const satisfies Readonly<Record<string, keyof Revision>>;

/** The operator's own notes: what it writes down it can read. */
function annotated(revision: Revision, set: Readonly<Record<string, string | null>>): Revision {
  const notes = Object.entries(FIELDS).flatMap(([annotation, field]): [string, unknown][] => {
    const text = set[annotation];
    if (text === undefined) return [];
    return [[field, text === null ? undefined : field === 'retryToken' ? text : JSON.parse(text)]];
  });
  const all = { ...revision, ...Object.fromEntries(notes) };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as unknown as Revision;
}

const newRevision = ({ app, now }: Snapshot, release: Release, number: number): Revision => ({
  name: names.revision(app.metadata.name, release.hash),
  number,
  release,
  verdict: { verdict: 'pending', reason: 'Progressing', message: '', at: new Date(now).toISOString() },
});

function summaryOf(
  { app }: Snapshot,
  { record, revision }: Extract<Action, { do: 'createIncident' }>,
): IncidentSummary {
  const { failed, restored, at, reason, cause, phase, kind, rotation } = record;
  return {
    ...{ name: incidentName(app.metadata.name, record), number: revision },
    ...{ at, reason, phase, ...(kind && { kind }), ...(rotation && { rotation: rotationId(rotation) }) },
    ...{ release: failed.hash, attempt: failed.attempt, failedImage: failed.image, message: cause.message },
    ...(restored && { restoredImage: restored.image }),
  };
}

type Named = Pick<JobView, 'name' | 'migrationId' | 'release' | 'task'>;
const jobOf = (createdAt: number, named: Named): JobView => ({
  ...named,
  uid: `foreseen-${named.name}-${createdAt}`,
  createdAt,
  state: { kind: 'pending', detail: '' },
});

const podOf = (createdAt: number, release: string, name: string): PodView => ({
  ...{ name, uid: `foreseen-${name}-${createdAt}`, release, createdAt },
  ...{ ready: false, deleting: false, restarts: 0 },
});

/** The record and the template in one write: its controller has not seen it yet. */
function recorded(world: Snapshot, record: RolloutRecord): Snapshot {
  const { deployment, app } = world;
  const { replicas } = app.spec;
  const made = deployment ?? { ...workload(app.metadata.name, replicas), foreign: [] };
  return { ...world, deployment: { ...made, record, observed: false } };
}

const workload = (name: string, wantedReplicas: number): WorkloadView => ({
  ...{ name, observed: true, wantedReplicas, replicas: wantedReplicas },
  ...{ updatedReplicas: wantedReplicas, readyReplicas: wantedReplicas, availableReplicas: wantedReplicas },
});

/** Controllers, kubelets and Jobs come to their ends, and time goes by. */
function onward(world: Snapshot, recheckMs = 1_000): Snapshot {
  const now = world.now + recheckMs;
  const jobs = world.jobs.map(job => ended(world, job, now));
  const rehearsals = world.rehearsals.filter(({ deleting }) => !deleting).map(readied);
  return { ...serving({ ...world, now, jobs, rehearsals }), now };
}

/** Nothing else happens in a bake that goes well. */
function untilBakeEnds({ deployment, app, now }: Snapshot): number | undefined {
  const { phase, since } = deployment?.record ?? {};
  if (phase !== 'Baking' || since === undefined) return undefined;
  return Math.max(1_000, Date.parse(since) + app.spec.rollout.bakeSeconds * 1000 - now);
}

const readied = ({ waiting: _words, unschedulable: _either, ...pod }: PodView): PodView => ({ ...pod, ready: true });

function ended({ app }: Snapshot, job: JobView, endedAt: number): JobView {
  if (job.state.kind !== 'pending' && job.state.kind !== 'running') return job;
  // what is pending in a database only the database knows
  const isTold = app.spec.migrations.command[0] === 'migrate' && !job.task?.startsWith('status');
  const verdict = isTold ? { verdict: verdictOf(job) } : {};
  return { ...job, state: { kind: 'succeeded', endedAt, podRead: true, ...verdict } };
}

function verdictOf({ task }: JobView): JobVerdict {
  const [direction, ids = ''] = (task ?? '').split(' ');
  const named = ids.split(',').filter(id => id !== '');
  if (direction === 'down') return { result: 'reverted', applied: [], pending: [], reverted: named };
  const contracted = direction === 'contract' ? named : [];
  return {
    result: 'up to date',
    applied: contracted,
    pending: [],
    contracted,
    withheld: [],
    irreversible: [],
    ahead: [],
  };
}

/** As many ready pods of each release as the record asks for. */
function serving(world: Snapshot): Snapshot {
  const { deployment, app, now } = world;
  if (!deployment) return world;
  const { record, wantedReplicas } = deployment;
  const onTrial = releaseOnTrial(record);
  const canaries = onTrial === undefined ? 0 : Math.min(app.spec.rollout.canaryReplicas, wantedReplicas);
  const { candidate: earlier, judgement: _before, worker, ...rest } = world;
  const judgement = judgementOf(record);
  return {
    ...rest,
    deployment: { ...deployment, ...workload(deployment.name, wantedReplicas) },
    ...(canaries > 0 && { candidate: workload(earlier?.name ?? names.candidate(app.metadata.name), canaries) }),
    ...(judgement && { judgement }),
    ...workersOf(world, releaseInForce(record)),
    pods: [
      ...podsOf(now, { release: releaseInForce(record), count: wantedReplicas, known: world.pods }),
      ...(onTrial === undefined ? [] : podsOf(now, { release: onTrial, count: canaries, known: world.pods })),
    ],
  };
}

function workersOf(world: Snapshot, release: string): Partial<Snapshot> {
  const { app, worker, now } = world;
  if (revisionOf(world, release)?.release.worker === undefined || app.kind !== 'DevShelfDeployment') return {};
  const count = worker?.wantedReplicas ?? app.spec.worker.replicas;
  const name = worker?.name ?? names.worker(app.metadata.name);
  return { worker: workload(name, count), workers: podsOf(now, { release, count, known: world.workers }) };
}

type Group = { readonly release: string; readonly count: number; readonly known: readonly PodView[] };

function podsOf(now: number, { release, count, known }: Group): PodView[] {
  const kept = known.filter(pod => pod.release === release && !pod.deleting && !pod.ended).slice(0, count);
  const made = Array.from({ length: count - kept.length }, (_, n) => podOf(now, release, `${release}-${n}`));
  return [...kept, ...made].map(readied);
}

/** Judged by enough requests, none of which failed. */
function judgementOf({ phase, release }: RolloutRecord): Judgement | undefined {
  if (!['Installing', 'Candidate', 'Promoting', 'Baking'].includes(phase)) return undefined;
  const figures = { requests: 0, errors: 0 };
  const verdict = phase === 'Candidate' ? 'Good' : 'Pending';
  return { verdict, release, candidate: figures, baseline: figures, baselineIsGood: true, message: 'no fault is seen' };
}
