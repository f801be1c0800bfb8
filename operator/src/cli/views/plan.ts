// PURE: a spec as it would be, and what the cluster holds -> what would happen if it were applied. The operator's own
// decisions say so (lifecycle/foresight.ts); nothing is guessed here.
import { apisBy } from '../../api/optional-apis.ts';
import type { AppResource } from '../../api/resource.ts';
import { type Release, releaseInForce } from '../../api/rollout.ts';
import { type Foresight, foresee } from '../../lifecycle/foresight.ts';
import type { DeploymentView, JobView, Revision, Snapshot } from '../../lifecycle/snapshot.ts';
import { type Digest, type Seed, wantedOf } from '../../objects/contents.ts';
import { keyringsOf } from '../../objects/keyring.ts';
import { releaseHash, releaseOf } from '../../objects/release.ts';
import { span } from '../draw/lines.ts';

export type PlanFacts = {
  /** As the API server would store it. */
  readonly app: AppResource;
  readonly live?: AppResource;
  /** What the Secrets and ConfigMaps that it names hold, as hashes; by `contentKey`. */
  readonly found: ReadonlyMap<string, Digest>;
  readonly seed: Seed;
  /** Why Secrets or ConfigMaps could not be read: then the release's hash is not known. */
  readonly unread?: string;
  readonly revisions: readonly Revision[];
  readonly deployment?: DeploymentView;
  /** Identity of the database that it serves from. */
  readonly database?: string;
  readonly jobs: readonly JobView[];
  /** What else a reader has to know: what could not be read, or was not checked. */
  readonly notes: readonly string[];
  /** Epoch milliseconds. */
  readonly now: number;
};

export type Field = { readonly path: string; readonly before?: string; readonly after?: string };
export type PlanStep = { readonly stage: string; readonly what: string };
export type PlanModel = {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly change: 'created' | 'changed' | 'unchanged';
  readonly fields: readonly Field[];
  readonly release: {
    readonly image: string;
    /** Absent where the Secrets that go into it could not be read. */
    readonly hash?: string;
    readonly is: 'serves' | 'on trial' | 'new' | 'known' | 'rejected' | 'new or known' | 'unknown';
    /** Of a known one: what was said of it. */
    readonly said?: string;
  };
  readonly steps: readonly PlanStep[];
  /** How it ends, if nothing fails. */
  readonly end: Foresight['end'];
  readonly reason: string;
  readonly message: string;
  /** Of what is waited for by the spec: trial and bake. */
  readonly leastSeconds: number;
  readonly notes: readonly string[];
};

const MOST_FIELDS = 30;

/** What only the pass itself can say is not said before it. */
const MESSAGES: Readonly<Record<string, string>> = {
  MigrationPending:
    'spec.migrations.policy is Manual: it says then what is pending, and kubectl devshelf migrate lets the Job run',
};

export function planView(facts: PlanFacts): PlanModel {
  const { app, live } = facts;
  const wanted = wantedIn(facts, app);
  const seen = snapshotOf(facts, wanted);
  const foreseen = foresee(seen);
  const fields = live ? differences(live.spec, app.spec) : [];
  const release = releaseIn(facts, wanted);
  const steps = stepsOf(seen, foreseen, wanted.release);
  return {
    ...{ kind: app.kind, name: app.metadata.name, namespace: app.metadata.namespace },
    change: live ? (fields.length > 0 ? 'changed' : 'unchanged') : 'created',
    fields: fields.slice(0, MOST_FIELDS),
    release,
    steps,
    ...{ end: foreseen.end, reason: foreseen.reason, message: MESSAGES[foreseen.reason] ?? foreseen.message },
    leastSeconds: leastSeconds(app, steps),
    notes: [...facts.notes, ...unsure(facts, wanted)],
  };
}

type WantedHere = {
  readonly is: Snapshot['wanted'];
  readonly missing: Snapshot['missing'];
  readonly release?: Release;
  readonly isGuess: boolean;
};

function wantedIn(facts: PlanFacts, app: AppResource): WantedHere {
  const { found, seed, revisions, unread, now } = facts;
  if (unread !== undefined) return withoutSecrets(facts, app);
  const { wanted, missing } = wantedOf(
    app,
    found,
    seed,
    revisions.map(({ release }) => release.hash),
  );
  const is = wanted.known ? { ...wanted, readAt: now } : wanted;
  return { is, missing, ...(wanted.known && { release: wanted.value.release }), isGuess: false };
}

/** Nobody may be asked what Secrets hold: a spec that changes no pod asks for the release that it asks for now. */
function withoutSecrets({ live, deployment, database = '', revisions, now }: PlanFacts, app: AppResource): WantedHere {
  const isSame = live !== undefined && releaseHash(live, {}) === releaseHash(app, {});
  const hash = isSame ? askedFor(live, deployment) : undefined;
  const known = revisions.find(({ release }) => release.hash === hash)?.release;
  const release = known ?? { ...releaseOf(app, {}, database), hash: UNKNOWN };
  const is = { known: true, readAt: now, value: { release, databaseIdentity: database } } as const;
  return { is, missing: [], release, isGuess: known === undefined };
}

const UNKNOWN = 'unknown';

/** By its status: what is tried, or was refused, or serves. */
function askedFor({ status, metadata }: AppResource, deployment: DeploymentView | undefined): string | undefined {
  if (status.observedGeneration !== metadata.generation) return undefined;
  const isRefused = status.conditions?.some(({ reason }) => reason === 'ReleaseRejected') === true;
  return isRefused ? status.rollout?.rejected?.hash : deployment?.record.release;
}

function snapshotOf(facts: PlanFacts, { is, missing }: WantedHere): Snapshot {
  const { app, live, now, revisions, deployment, jobs } = facts;
  const isThere = live !== undefined && deployment !== undefined;
  return {
    ...{ now, app, missing, wanted: is, revisions, jobs },
    keys: keyringsOf(app).map(({ name, secret, client }) => ({
      ...{ name, keyring: secret, keyringPresent: isThere, clientPresent: isThere },
      ...(client && { client: client.secret }),
    })),
    ...(deployment && { deployment }),
    ...{ pods: [], workers: [], rehearsals: [], orphans: [], configMaps: [] },
    // how it is exposed, scaled and watched never decides about a release
    apis: apisBy(() => 'present'),
  };
}

function releaseIn(facts: PlanFacts, { release, is, isGuess }: WantedHere): PlanModel['release'] {
  const { app, deployment, revisions } = facts;
  const { image } = app.spec;
  if (!release || !is.known) return { image, is: 'unknown', said: is.known ? '' : is.why };
  if (isGuess) return { image, is: revisions.length > 0 ? 'new or known' : 'new' };
  const { hash } = release;
  const known = revisions.find(one => one.release.hash === hash);
  const record = deployment?.record;
  if (record && releaseInForce(record) === hash) return { image, hash, is: 'serves' };
  if (record?.release === hash) return { image, hash, is: 'on trial' };
  if (!known) return { image, hash, is: 'new' };
  const { verdict, message, at } = known.verdict;
  return { image, hash, is: verdict === 'rejected' ? 'rejected' : 'known', said: `${verdict} ${at}: ${message}` };
}

/** A hash that this program makes and the cluster does not know would promise too much. */
function unsure(facts: PlanFacts, { isGuess }: WantedHere): string[] {
  const { unread, live, deployment, revisions } = facts;
  const hidden =
    unread === undefined ? [] : [`${unread}: whether a release of this content was tried before is not known`];
  if (unread !== undefined) return isGuess ? hidden : [];
  if (!live || !deployment || live.status.observedGeneration !== live.metadata.generation) return [];
  const now = wantedIn(facts, live).release?.hash;
  if (now === undefined || revisions.some(({ release }) => release.hash === now)) return [];
  return [
    `what is applied now has the hash ${now} here, and no release of the operator has it: a Secret or ConfigMap has just changed, or the operator is of another version (kubectl devshelf doctor)`,
  ];
}

function stepsOf(seen: Snapshot, { steps }: Foresight, wanted: Release | undefined): PlanStep[] {
  const told = steps.flatMap(({ action, message }): PlanStep[] => {
    switch (action.do) {
      case 'mintKeyring':
        return [{ stage: 'keys', what: `Secret ${action.keyring} is made` }];
      case 'createBackup':
        return [{ stage: 'backup', what: message }];
      case 'createMigrationJob':
        return [
          {
            stage: 'migration',
            what: `a Job runs ${seen.app.spec.migrations.command.join(' ')} with ${action.release.image}`,
          },
        ];
      case 'createSchemaJob':
        return [{ stage: 'schema', what: message }];
      case 'createRehearsal':
        return [{ stage: 'rehearsal', what: `a ${action.worker ? 'worker' : 'pod'} that no user meets` }];
      case 'setRecord':
        return phaseStep(seen, action.record, message, wanted);
      default:
        return [];
    }
  });
  const brought = broughtBy(seen, wanted);
  const first = told.findIndex(({ stage }) => stage === 'rehearsal' || stage === 'candidate' || stage === 'install');
  if (first < 0 || told.some(({ stage }) => stage === 'migration')) return told;
  return told.toSpliced(first, 0, { stage: 'migration', what: brought });
}

function phaseStep(
  { app }: Snapshot,
  { phase, release }: DeploymentView['record'],
  message: string,
  wanted: Release | undefined,
): PlanStep[] {
  const { canaryReplicas, bakeSeconds, analysis } = app.spec.rollout;
  const isWanted = release === wanted?.hash;
  switch (phase) {
    case 'Installing':
      return [{ stage: 'install', what: 'all pods at once: nothing serves yet' }];
    case 'Candidate': {
      const judged =
        analysis.policy === 'Disabled'
          ? 'analysis is off'
          : `judged by at least ${analysis.minimumRequests} requests and ${analysis.minimumSeconds} s`;
      return [{ stage: 'candidate', what: `${canaryReplicas} of its pods beside the stable ones, ${judged}` }];
    }
    case 'Promoting':
      return [{ stage: 'promotion', what: 'replaces the stable pods, none missing meanwhile' }];
    case 'Baking':
      return [{ stage: 'bake', what: `serves everybody, watched for ${span(bakeSeconds * 1000)}` }];
    case 'Settled':
      return [{ stage: isWanted ? 'release' : 'before', what: isWanted ? 'it is the stable release' : message }];
    case 'RollingBack':
    case 'RollingBackAll':
      return [{ stage: 'rollback', what: message }];
  }
}

function broughtBy({ app, revisions }: Snapshot, wanted: Release | undefined): string {
  if (app.spec.migrations.policy === 'Disabled') return 'none: spec.migrations.policy is Disabled';
  const by = revisions.find(({ migration }) => migration !== undefined && migration.id === wanted?.migrationId);
  return by ? `none: this image’s was done with ${by.name}` : 'none';
}

function leastSeconds({ spec: { rollout } }: AppResource, steps: readonly PlanStep[]): number {
  const has = (wanted: string) => steps.some(({ stage }) => stage === wanted);
  const { analysis, bakeSeconds } = rollout;
  const trial = has('candidate') && analysis.policy !== 'Disabled' ? analysis.minimumSeconds : 0;
  return trial + (has('bake') ? bakeSeconds : 0);
}

/** Field by field; lists by the names of their items. Values of environment variables are never shown. */
export function differences(before: unknown, after: unknown): Field[] {
  const [old, next] = [flat(before), flat(after)];
  return [...new Set([...old.keys(), ...next.keys()])]
    .filter(path => old.get(path) !== next.get(path))
    .map(path => {
      const [was, is] = [old.get(path), next.get(path)];
      const hide = (text: string) => (/^(extraEnv|.*\benv)\[.*\]\.value$/.test(path) ? '(not shown)' : text);
      return {
        path: `spec.${path}`,
        ...(was !== undefined && { before: hide(was) }),
        ...(is !== undefined && { after: hide(is) }),
      };
    });
}

function flat(value: unknown, path = ''): Map<string, string> {
  if (value === undefined) return new Map();
  if (typeof value !== 'object' || value === null) return new Map([[path, String(value)]]);
  const entries = Array.isArray(value)
    ? value.map((item, n) => [`${path}[${nameIn(item) ?? n}]`, item] as const)
    : Object.entries(value).map(([name, item]) => [path === '' ? name : `${path}.${name}`, item] as const);
  return new Map(entries.flatMap(([name, item]) => [...flat(item, name)]));
}

const nameIn = (item: unknown): string | undefined => {
  const name = typeof item === 'object' && item !== null && 'name' in item ? item.name : undefined;
  return typeof name === 'string' ? name : undefined;
};
