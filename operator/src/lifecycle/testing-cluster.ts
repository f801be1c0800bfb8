// A cluster of a few fields for the model test: it does what a pass asks for, and its controllers move on when told.
import type { RolloutRecord } from '../api/rollout.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Action } from './decision.ts';
import type { Judgement, PodView, Revision, Snapshot } from './snapshot.ts';
import { app, job, pod, release, T0, wanted } from './testing.ts';

/** What becomes of one version wherever it is tried. */
export interface Fate {
  /** `unreachable`: the first time only. */
  readonly migration: 'up to date' | 'unreachable' | 'failed';
  readonly starts: boolean;
  readonly smoke: boolean;
  readonly canary: Judgement['verdict'];
  readonly turnsBad: 'never' | 'Promoting' | 'Baking';
}

type MutableJob = { -readonly [Key in keyof Snapshot['jobs'][number]]: Snapshot['jobs'][number][Key] };
type MutablePod = { -readonly [Key in keyof PodView]: PodView[Key] };
type Applied = Partial<Record<string, string | null>>;

const REPLICAS = 2;

export class ModelCluster {
  readonly #fates: Readonly<Record<string, Fate>>;
  now = T0;
  spec: { version: string; retryToken?: string; paused: boolean; analysis: Record<string, unknown> };
  databaseIsUp = true;
  secretIsThere = true;
  record: RolloutRecord | undefined;
  revisions: Revision[] = [];
  jobs: MutableJob[] = [];
  pods: MutablePod[] = [];
  rehearsals: MutablePod[] = [];
  #observed = true;
  #keys = { keyringPresent: false, clientPresent: false };
  #names = 0;
  readonly #asked = new Set<string>();
  /** Forgotten by an operator that restarts, and read again later. */
  #evidenceOf: string | undefined;

  constructor(fates: Readonly<Record<string, Fate>>, analysis: Record<string, unknown>) {
    this.#fates = fates;
    this.spec = { version: 'v1', paused: false, analysis };
  }

  snapshot(): Snapshot {
    const { version, retryToken, paused, analysis } = this.spec;
    const judgement = this.#judgement();
    const deployment = this.#deployment();
    return {
      now: this.now,
      app: appOf({
        paused,
        rollout: {
          ...{ bakeSeconds: 60, progressDeadlineSeconds: 60, analysis },
          ...(retryToken !== undefined && { retryToken }),
        },
      }),
      missing: this.secretIsThere ? [] : [{ reason: 'SecretMissing', message: 'Secret db does not exist' }],
      wanted: this.secretIsThere ? wanted(version) : { known: false, why: 'a reference is missing' },
      keys: [{ name: 'api', keyring: 'shop-api-keyring', client: 'shop-api-key', ...this.#keys }],
      revisions: [...this.revisions],
      ...(deployment && { deployment }),
      pods: structuredClone(this.pods),
      rehearsals: structuredClone(this.rehearsals),
      jobs: structuredClone(this.jobs),
      ...(judgement && { judgement }),
      serviceMonitorAvailable: true,
    };
  }

  /** By hand; its pods go with it. */
  removeDeployment(): void {
    this.record = undefined;
    this.pods = [];
  }

  restartOperator(): void {
    this.#evidenceOf = undefined;
  }

  carryOut(action: Action): void {
    switch (action.do) {
      case 'mintKeyring':
        this.#keys = { ...this.#keys, keyringPresent: true };
        return;
      case 'publishKey':
        this.#keys = { ...this.#keys, clientPresent: true };
        return;
      case 'rotateKey':
      case 'handOverKey':
      case 'syncPods':
        return; // nobody asks for another key here: rotation.model.test.ts
      case 'createRevision':
        this.revisions.push(newRevision(action.release.hash, action.revision, new Date(this.now).toISOString()));
        return;
      case 'annotateRevision':
        this.#annotate(action.revision, action.set);
        return;
      case 'deleteRevision':
        this.revisions = this.revisions.filter(({ name }) => name !== action.revision);
        return;
      case 'createMigrationJob':
        this.jobs.push({ ...job({ kind: 'pending', detail: '' }, action.release.hash), createdAt: this.now });
        return;
      case 'deleteJob':
        this.jobs = this.jobs.filter(({ uid }) => uid !== action.uid);
        return;
      case 'createRehearsal':
        this.rehearsals.push(this.#newPod(action.release.hash));
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
    one.ready = this.databaseIsUp && this.#fate(one.release).starts;
  }

  #runJob(one: MutableJob): void {
    if (one.state.kind === 'pending') one.state = { kind: 'running' };
    else if (one.state.kind === 'running') one.state = this.#endOf(`v${one.migrationId.slice(1)}`);
  }

  #endOf(hash: string): MutableJob['state'] {
    const { migration } = this.#fate(hash);
    const first = !this.#asked.has(hash);
    this.#asked.add(hash);
    const answers = this.databaseIsUp && !(migration === 'unreachable' && first);
    const result = !answers ? 'unreachable' : migration === 'failed' ? 'failed' : 'up to date';
    const verdict = { result, applied: [], pending: [] };
    const end = { endedAt: this.now, podRead: true, verdict };
    if (result === 'up to date') return { kind: 'succeeded', ...end };
    return { kind: 'failed', detail: 'exit code 1', started: true, ...end };
  }

  #replaceOne(): void {
    if (!this.record) return;
    const { phase, release: target, stable } = this.record;
    const main = phase === 'Candidate' ? (stable ?? target) : target;
    const lacking: string[] = [...Array<string>(REPLICAS).fill(main), ...(main === target ? [] : [target])];
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
    return { ...pod(hash, `pod-${this.#names}`), ready: false, createdAt: this.now };
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
    return { verdict, release: hash, candidate: none, baseline: none, message: verdict };
  }

  #verdict(hash: string, phase: string): Judgement['verdict'] {
    const { canary, turnsBad } = this.#fate(hash);
    if (phase === 'Candidate') return canary;
    return turnsBad === 'Promoting' || turnsBad === phase ? 'Bad' : 'Pending';
  }

  #deployment(): Snapshot['deployment'] {
    const record = this.record;
    if (!record) return undefined;
    const ready = this.pods.filter(one => one.ready).length;
    return {
      record,
      observed: this.#observed,
      wantedReplicas: REPLICAS,
      replicas: this.pods.length,
      updatedReplicas: this.pods.filter(one => one.release === record.release).length,
      readyReplicas: ready,
      availableReplicas: ready,
    };
  }
}

const parsed = new Map<string, ReturnType<typeof app>>();

/** Parsing is most of the time that a pass takes here. */
function appOf(spec: Record<string, unknown>): ReturnType<typeof app> {
  const key = JSON.stringify(spec);
  const known = parsed.get(key) ?? app(spec);
  parsed.set(key, known);
  return known;
}

const newRevision = (hash: string, number: number, at: string): Revision => ({
  name: `shop-${hash}`,
  number,
  release: release(hash),
  verdict: { verdict: 'pending', reason: 'Progressing', message: '', at },
});

function annotated(known: Revision, set: Applied): Revision {
  const read = (name: string) => (set[name] ? JSON.parse(set[name]) : undefined);
  const { rehearsal, retryToken, ...rest } = known;
  const keepsRehearsal = rehearsal && set[ANNOTATIONS.rehearsal] === undefined;
  const token = set[ANNOTATIONS.retryToken] === undefined ? retryToken : set[ANNOTATIONS.retryToken];
  const migration = read(ANNOTATIONS.migration);
  return {
    ...rest,
    verdict: read(ANNOTATIONS.verdict) ?? known.verdict,
    ...(migration && { migration }),
    ...(keepsRehearsal && { rehearsal }),
    ...(typeof token === 'string' && { retryToken: token }),
  };
}
