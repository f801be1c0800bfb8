// A cluster of a few fields for the model test: it does what a pass asks for, and its controllers move on when told.

import { type IncidentSummary, type Refusal, rotationId } from '../api/incident.ts';
import { apisBy } from '../api/optional-apis.ts';
import { type Gate, type RolloutRecord, releaseInForce, releaseOnTrial } from '../api/rollout.ts';
import { ANNOTATIONS, incidentName, names } from '../objects/names.ts';
import type { Action } from './decision.ts';
import {
  type JobVerdict,
  type Judgement,
  type PodView,
  type Revision,
  type Snapshot,
  taskText,
  type Withheld,
} from './snapshot.ts';
import { app, candidate, job, pod, release, T0, wanted } from './testing.ts';

/** What becomes of one version wherever it is tried. */
export interface Fate {
  /** `unreachable`: the first time only. */
  readonly migration: 'up to date' | 'unreachable' | 'failed';
  readonly starts: boolean;
  readonly smoke: boolean;
  readonly canary: Judgement['verdict'];
  readonly turnsBad: 'never' | 'Promoting' | 'Baking';
  /** One of its two migrations takes something away. */
  readonly contracts?: boolean;
  /** The release before it answers well without what is gone. */
  readonly stableSurvives?: boolean;
  /** Nothing is lost when what it added is taken out again. */
  readonly lossless?: boolean;
}

/** How a spec deals with the schema. */
export interface SchemaPolicy {
  readonly when: 'AfterBake' | 'BeforeRollout';
  readonly downOnRollback: 'Never' | 'IfSafe';
}

/** Of v2 and of 2_add. */
const numberOf = (name: string): number => Number(/^v?(\d+)/.exec(name)?.[1]);

type MutableJob = { -readonly [Key in keyof Snapshot['jobs'][number]]: Snapshot['jobs'][number][Key] };
type MutablePod = { -readonly [Key in keyof PodView]: PodView[Key] };
type Applied = Partial<Record<string, string | null>>;

const REPLICAS = 2;
const APIS = apisBy(() => 'present');
const KEPT: SchemaPolicy = { when: 'AfterBake', downOnRollback: 'Never' };

/** The migrations that version v2 brings are 2_add and 2_drop. */
export const addOf = (version: string): string => `${version.slice(1)}_add`;
export const dropOf = (version: string): string => `${version.slice(1)}_drop`;

export class ModelCluster {
  readonly #fates: Readonly<Record<string, Fate>>;
  now = T0;
  spec: { version: string; retryToken?: string; paused: boolean; analysis: Record<string, unknown> };
  databaseIsUp = true;
  /** Versions whose image cannot be pulled any more: pods that are there already go on. */
  readonly gone = new Set<string>();
  secretIsThere = true;
  /** One of the two copies of it. */
  seedIsThere = true;
  /** What people ask for, by annotation; it stays until something else is asked. */
  requests: Record<string, string> = {};
  #requests = 0;
  record: RolloutRecord | undefined;
  revisions: Revision[] = [];
  incidents: IncidentSummary[] = [];
  standing: IncidentSummary[] = [];
  refusals: readonly Refusal[] | undefined;
  jobs: MutableJob[] = [];
  pods: MutablePod[] = [];
  rehearsals: MutablePod[] = [];
  #observed = true;
  #keys = { keyringPresent: false, clientPresent: false };
  #names = 0;
  readonly #asked = new Set<string>();
  readonly #schema: SchemaPolicy;
  /** Names of the migrations that are in the database. */
  history: string[] = [];
  /** By release: what was in the database when its Job last looked. */
  readonly found = new Map<string, readonly string[]>();
  /** The resource as it was read last, and what of. */
  #read: { spec: object; requests: object; app: ReturnType<typeof app> } | undefined;
  /** Forgotten by an operator that restarts, and read again later. */
  #evidenceOf: string | undefined;

  constructor(fates: Readonly<Record<string, Fate>>, analysis: Record<string, unknown>, schema: SchemaPolicy = KEPT) {
    this.#fates = fates;
    this.#schema = schema;
    this.spec = { version: 'v1', paused: false, analysis };
  }

  snapshot(): Snapshot {
    const { version } = this.spec;
    const judgement = this.#judgement();
    const deployment = this.#deployment();
    return {
      now: this.now,
      writers: { spec: { by: 'kubectl', at: new Date(T0).toISOString() } },
      app: this.#app(),
      missing: this.secretIsThere ? [] : [{ reason: 'SecretMissing', message: 'Secret db does not exist' }],
      wanted: this.#wanted(version),
      ...(!this.seedIsThere && { lacksSeed: 'copy' }),
      keys: [{ name: 'api', keyring: 'shop-api-keyring', client: 'shop-api-key', ...this.#keys }],
      revisions: [...this.revisions],
      incidents: [...this.incidents],
      standing: [...this.standing],
      ...(deployment && { deployment }),
      ...(this.#candidateIsThere() && { candidate: candidate() }),
      pods: this.pods.map(one => ({ ...one })),
      workers: [],
      orphans: [],
      configMaps: [],
      rehearsals: this.rehearsals.map(one => ({ ...one })),
      jobs: this.jobs.map(one => ({ ...one })),
      ...(judgement && { judgement }),
      apis: APIS,
    };
  }

  #wanted(version: string): Snapshot['wanted'] {
    if (!this.secretIsThere) return { known: false, why: 'a reference is missing' };
    return this.seedIsThere ? wanted(version) : { known: false, why: 'Secret shop-release-seed is being made' };
  }

  /** Reading it is most of the time that a pass takes here. */
  #app(): ReturnType<typeof app> {
    const { spec, requests } = this;
    if (this.#read?.spec === spec && this.#read.requests === requests) return this.#read.app;
    const { paused, analysis, retryToken } = spec;
    const read = appOf(requests, {
      paused,
      migrations: {
        contract: { allow: Object.keys(this.#fates).map(dropOf), when: this.#schema.when },
        downOnRollback: this.#schema.downOnRollback,
      },
      rollout: {
        ...{ bakeSeconds: 60, progressDeadlineSeconds: 60, analysis },
        ...(retryToken !== undefined && { retryToken }),
      },
    });
    this.#read = { spec, requests, app: read };
    return read;
  }

  /** Each request is another one than those before it. */
  ask(gate: Gate, hash: string, words: string): void {
    this.#requests += 1;
    this.requests = { ...this.requests, [ANNOTATIONS[gate]]: `${hash} ${this.#requests} ${words}`.trim() };
  }

  /** By hand; its pods go with it. */
  removeDeployment(): void {
    this.record = undefined;
    this.pods = [];
  }

  /** Every image can be pulled again. */
  pull(): void {
    this.gone.clear();
    for (const one of [...this.pods, ...this.rehearsals]) delete one.waiting;
  }

  /** As the runbook tells: what the release before does not need, when nobody else is there. */
  undoByHand(): void {
    const { record, revisions } = this;
    const users = [...this.pods, ...this.rehearsals];
    if (record?.phase !== 'Settled' || record.release !== this.spec.version) return;
    if (this.jobs.some(({ state }) => ['pending', 'running'].includes(state.kind))) return;
    if (users.some(one => one.release !== record.release)) return;
    const left = revisions.filter(({ verdict }) => verdict.verdict !== 'pending').map(known => known.release.hash);
    const undone = left.filter(hash => numberOf(hash) > numberOf(record.release)).map(addOf);
    this.history = this.history.filter(id => !undone.includes(id));
  }

  restartOperator(): void {
    this.#evidenceOf = undefined;
  }

  carryOut(action: Action): void {
    switch (action.do) {
      case 'mintSeed':
        this.seedIsThere = true;
        return;
      case 'mintKeyring':
        this.#keys = { ...this.#keys, keyringPresent: true };
        return;
      case 'publishKey':
        this.#keys = { ...this.#keys, clientPresent: true };
        return;
      case 'rotateKey':
      case 'handOverKey':
      case 'syncPods':
      case 'adopt':
      case 'copyConfigMaps':
      case 'deleteConfigMap':
      case 'createBackup':
        return; // nobody asks for another key here: rotation.model.test.ts
      case 'createRevision':
        this.revisions.push(newRevision(action.release.hash, action.revision, new Date(this.now).toISOString()));
        if (action.set) this.#annotate(`shop-${action.release.hash}`, action.set);
        return;
      case 'createIncident':
        this.#remember(action);
        return;
      case 'rememberRefusals':
        this.refusals = action.refusals;
        return;
      case 'annotateRevision':
        this.#annotate(action.revision, action.set);
        return;
      case 'deleteRevision':
        this.revisions = this.revisions.filter(({ name }) => name !== action.revision);
        this.incidents = this.incidents.filter(({ name }) => name !== action.revision);
        this.standing = this.standing.filter(({ name }) => name !== action.revision);
        return;
      case 'createMigrationJob':
        this.jobs.push({ ...job({ kind: 'pending', detail: '' }, action.release.hash), createdAt: this.now });
        return;
      case 'createSchemaJob': {
        const { release: of, task } = action;
        const text = taskText(task);
        const made = {
          ...job({ kind: 'pending', detail: '' }, of.hash),
          migrationId: `${of.hash} ${text}`,
          task: text,
        };
        this.jobs.push({ ...made, uid: `uid-of-${made.migrationId}`, createdAt: this.now });
        return;
      }
      case 'deleteJob':
        this.jobs = this.jobs.filter(({ uid }) => uid !== action.uid);
        return;
      case 'createRehearsal':
        this.rehearsals.push({
          ...this.#newPod(action.release.hash),
          name: names.rehearsal('shop', action.release.hash),
        });
        return;
      case 'deletePod':
        this.rehearsals = this.rehearsals.filter(({ uid }) => uid !== action.uid);
        return;
      case 'rehearse':
        this.#rehearse(action.revision, action.attempt);
        return;
      case 'setRecord':
        this.record = action.record;
        this.#observed = false;
        return;
    }
  }

  #remember({ record, revision: number }: Extract<Action, { do: 'createIncident' }>): void {
    const { hash, attempt, image } = record.failed;
    const { at, reason, cause, restored, kind, phase, rotation } = record;
    const name = incidentName('shop', record);
    const kept = kind ? this.standing : this.incidents;
    if (kept.some(known => known.name === name)) return;
    const what = {
      ...{ name, number, at, reason, attempt, phase, ...(kind && { kind }) },
      ...(rotation && { rotation: rotationId(rotation) }),
      release: hash,
      failedImage: image,
      message: cause.message,
    };
    kept.push({ ...what, ...(restored && { restoredImage: restored.image }) });
  }

  /** Controllers, kubelet and Jobs each do one step. */
  move(): void {
    this.#observed = true;
    this.#evidenceOf = this.record?.release;
    for (const one of [...this.pods, ...this.rehearsals]) this.#kubelet(one);
    for (const one of this.jobs) this.#runJob(one);
    this.#replaceOne();
  }

  #fate(hash: string): Fate {
    const fate = this.#fates[hash];
    if (!fate) throw new Error(`nobody knows what becomes of ${hash}`);
    return fate;
  }

  #kubelet(one: MutablePod): void {
    one.ready = this.databaseIsUp && this.#fate(one.release).starts && one.waiting === undefined;
  }

  #runJob(one: MutableJob): void {
    if (one.state.kind === 'pending') one.state = { kind: 'running' };
    else if (one.state.kind === 'running') one.state = this.#endOf(one.release, one.task);
  }

  #endOf(hash: string, task: string | undefined): MutableJob['state'] {
    const { migration } = this.#fate(hash);
    const first = !this.#asked.has(hash);
    this.#asked.add(hash);
    const answers = this.databaseIsUp && !(migration === 'unreachable' && first);
    const result = !answers ? 'unreachable' : migration === 'failed' ? 'failed' : 'up to date';
    const verdict =
      result === 'up to date' ? this.#change(hash, task) : ({ result, applied: [], pending: [] } as const);
    const end = { endedAt: this.now, podRead: true, verdict };
    if (['up to date', 'expanded', 'reverted'].includes(verdict.result)) return { kind: 'succeeded', ...end };
    return { kind: 'failed', detail: 'exit code 1', started: true, ...end };
  }

  /** What the runner does to the database, and says of it. */
  #change(hash: string, task: string | undefined): JobVerdict {
    const said = { applied: [] as string[], pending: [], withheld: [] as Withheld[], irreversible: [] };
    if (task?.startsWith('down')) return { ...said, ...this.#undo(hash, task) };
    const isFirst = this.history.length === 0;
    const known = Object.keys(this.#fates).filter(version => numberOf(version) <= numberOf(hash));
    const drops = known.filter(version => this.#fate(version).contracts).map(dropOf);
    const missing = [...known.map(addOf), ...drops].filter(id => !this.history.includes(id));
    const mayDrop = isFirst || task !== undefined || this.#schema.when === 'BeforeRollout';
    const applied = missing.filter(id => mayDrop || id.endsWith('_add'));
    const withheld = missing.filter(id => !applied.includes(id)).map(id => ({ id, what: 'takes away a column' }));
    this.history.push(...applied);
    this.found.set(hash, [...this.history]);
    const contracted = isFirst ? [] : applied.filter(id => id.endsWith('_drop'));
    const ahead = this.history.filter(id => numberOf(id) > numberOf(hash));
    return { ...said, result: withheld.length > 0 ? 'expanded' : 'up to date', applied, withheld, contracted, ahead };
  }

  #undo(hash: string, task: string): Pick<JobVerdict, 'result' | 'lost'> {
    if (!this.#fate(hash).lossless) return { result: 'refused', lost: ['table n: 7 rows'] };
    const ids = task.slice('down '.length).split(',');
    this.history = this.history.filter(id => !ids.includes(id));
    return { result: 'reverted' };
  }

  #replaceOne(): void {
    if (!this.record) return;
    const onTrial = releaseOnTrial(this.record);
    const lacking: string[] = [
      ...Array<string>(REPLICAS).fill(releaseInForce(this.record)),
      ...(onTrial === undefined ? [] : [onTrial]),
    ];
    const surplus = this.pods.filter(({ release: hash }) => {
      const at = lacking.indexOf(hash);
      if (at >= 0) lacking.splice(at, 1);
      return at < 0;
    });
    const [missing] = lacking;
    if (missing !== undefined) this.pods.push(this.#newPod(missing));
    else if (surplus[0]) this.pods = this.pods.filter(one => one !== surplus[0]);
  }

  #newPod(hash: string): MutablePod {
    this.#names += 1;
    const waiting = this.gone.has(hash) && { waiting: { reason: 'ErrImagePull', message: 'not found' } };
    return { ...pod(hash, `pod-${this.#names}`), ready: false, createdAt: this.now, ...waiting };
  }

  #rehearse(name: string, attempts: number): void {
    const at = new Date(this.now).toISOString();
    this.revisions = this.revisions.map(known => {
      if (known.name !== name) return known;
      const passed = this.databaseIsUp && this.#fate(known.release.hash).smoke;
      return { ...known, rehearsal: { passed, attempts, message: passed ? 'answers' : 'GET /health: 500', at } };
    });
  }

  #annotate(name: string, set: Applied): void {
    this.revisions = this.revisions.map(known => (known.name === name ? annotated(known, set) : known));
  }

  #judgement(): Judgement | undefined {
    if (!this.record || this.#evidenceOf !== this.record.release) return undefined;
    const { phase, release: hash } = this.record;
    if (!['Candidate', 'Installing', 'Promoting', 'Baking'].includes(phase)) return undefined;
    const none = { requests: 0, errors: 0 };
    const verdict = this.databaseIsUp ? this.#verdict(hash, phase) : 'DependencyDegraded';
    const baselineIsGood = this.#fate(hash).stableSurvives === true;
    return { verdict, release: hash, candidate: none, baseline: none, baselineIsGood, message: verdict };
  }

  #verdict(hash: string, phase: string): Judgement['verdict'] {
    const { canary, turnsBad } = this.#fate(hash);
    if (phase === 'Candidate') return canary;
    return turnsBad === 'Promoting' || turnsBad === phase ? 'Bad' : 'Pending';
  }

  #deployment(): Snapshot['deployment'] {
    const record = this.record;
    if (!record) return undefined;
    const onTrial = releaseOnTrial(record);
    const trial = onTrial === undefined ? undefined : this.pods.findLast(one => one.release === onTrial);
    const pods = this.pods.filter(one => one !== trial);
    const ready = pods.filter(one => one.ready).length;
    return {
      name: 'shop',
      record,
      foreign: [],
      ...(this.refusals && { refusals: this.refusals }),
      observed: this.#observed,
      wantedReplicas: REPLICAS,
      replicas: pods.length,
      updatedReplicas: pods.filter(one => one.release === releaseInForce(record)).length,
      readyReplicas: ready,
      availableReplicas: ready,
    };
  }

  /** Its Deployment is there as long as a pod of a release that is not in force. */
  #candidateIsThere(): boolean {
    const { record } = this;
    return record !== undefined && this.pods.some(one => one.release !== releaseInForce(record));
  }
}

const parsed = new Map<string, ReturnType<typeof app>>();

function appOf(annotations: Record<string, string>, spec: Record<string, unknown>): ReturnType<typeof app> {
  const key = JSON.stringify(spec);
  const known = parsed.get(key) ?? app(spec);
  parsed.set(key, known);
  return { ...known, metadata: { ...known.metadata, annotations } };
}

const newRevision = (hash: string, number: number, at: string): Revision => ({
  name: `shop-${hash}`,
  number,
  release: release(hash),
  verdict: { verdict: 'pending', reason: 'Progressing', message: '', at },
});

function annotated(known: Revision, set: Applied): Revision {
  const read = (name: string) => (set[name] ? JSON.parse(set[name]) : undefined);
  const { rehearsal, retryToken, migration: told, downgrade: undone, gone: past, ...more } = known;
  const { served: when, requestedBy: asker, ...before } = more;
  const rest = { ...before, ...(set[ANNOTATIONS.attempt] && { attempt: Number(set[ANNOTATIONS.attempt]) }) };
  const keepsRehearsal = rehearsal && set[ANNOTATIONS.rehearsal] === undefined;
  const token = set[ANNOTATIONS.retryToken] === undefined ? retryToken : set[ANNOTATIONS.retryToken];
  const kept = <T>(name: string, before: T): T => (set[name] === undefined ? before : read(name));
  const migration = kept(ANNOTATIONS.migration, told);
  const downgrade = kept(ANNOTATIONS.downgrade, undone);
  const gone = kept(ANNOTATIONS.gone, past);
  const served = kept(ANNOTATIONS.served, when);
  const requestedBy = kept(ANNOTATIONS.requestedBy, asker);
  return {
    ...rest,
    verdict: read(ANNOTATIONS.verdict) ?? known.verdict,
    ...(migration && { migration }),
    ...(downgrade && { downgrade }),
    ...(gone && { gone }),
    ...(served && { served }),
    ...(requestedBy && { requestedBy }),
    ...(keepsRehearsal && { rehearsal }),
    ...(typeof token === 'string' && { retryToken: token }),
  };
}
