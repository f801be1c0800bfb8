// Everything that one pass knows, read before it decides. What could not be read is a value too: it means wait.
import type { RouteParent } from '../api/exposure.ts';
import type { GroupFigures, IncidentSummary, Refusal, Requester } from '../api/incident.ts';
import type { Apis } from '../api/optional-apis.ts';
import type { AppResource } from '../api/resource.ts';
import type { Release, RolloutRecord, VerdictEvidence } from '../api/rollout.ts';
import type { KeyName, RotationRecord } from '../api/rotation.ts';

/** A reading that may have failed; `readAt` in epoch milliseconds. */
export type Reading<T> =
  | { readonly known: true; readonly value: T; readonly readAt: number }
  | { readonly known: false; readonly why: string };

/** What the spec asks for, once every Secret that it names could be read. */
export interface Wanted {
  readonly release: Release;
  /** Hash of host, port and database name of the database Secret. */
  readonly databaseIdentity: string;
  /** Hash of what it was made of; absent where that is not to be remembered. */
  readonly sources?: string;
}

/** A Secret or ConfigMap that the spec names and that is not as it must be. */
export interface MissingReference {
  readonly reason:
    | 'SecretMissing'
    | 'SecretKeyMissing'
    | 'ConfigMapMissing'
    | 'ConfigMapKeyMissing'
    | 'InvalidDatabaseURL';
  readonly message: string;
}

export type Verdict = 'pending' | 'released' | 'rejected' | 'superseded';

/** One release that was ever tried: its ControllerRevision. */
export interface Revision {
  readonly name: string;
  /** Counts up; the newest has the highest. */
  readonly number: number;
  readonly release: Release;
  readonly verdict: {
    readonly verdict: Verdict;
    readonly reason: string;
    readonly message: string;
    readonly at: string;
    /** What it was made on, where requests were counted. */
    readonly evidence?: VerdictEvidence;
  };
  /** spec.rollout.retryToken when the verdict was given. */
  readonly retryToken?: string;
  /** Which try of this release it is; absent: the first. */
  readonly attempt?: number;
  readonly requestedBy?: Requester;
  /** What was seen, while it baked, of a Prometheus that reads its pods. */
  readonly scraped?: Scraped;
  /** Since when it served, and until when. */
  readonly served?: { readonly from: string; readonly to?: string };
  readonly migration?: MigrationResult;
  readonly downgrade?: Downgrade;
  /** What releases took away that are not remembered any more. */
  readonly gone?: Gone;
  readonly rehearsal?: {
    readonly passed: boolean;
    readonly attempts: number;
    readonly message: string;
    readonly at: string;
    /** `RehearsalFailed`: final. `DependencyDegraded`: nothing is known, it is asked again. Absent: a test failed. */
    readonly reason?: 'RehearsalFailed' | 'DependencyDegraded';
    readonly evidence?: VerdictEvidence;
    /** Answers of another kind than the stable pod's. */
    readonly differences?: readonly string[];
  };
}

export interface Scraped {
  readonly seen: boolean;
  /** Under which labels its monitors were to be found then: with other ones nothing is known. */
  readonly labels: string;
}

export interface MigrationResult {
  readonly id: string;
  readonly jobName: string;
  /**
   * `Expanded`: what takes something away was left out, and waits. `Partial`: not there yet, but this much was done and
   * the next Job will not say so again.
   */
  readonly result: 'UpToDate' | 'Expanded' | 'Verified' | 'ExitCodeOnly' | 'Partial';
  readonly applied: readonly string[];
  /** RFC 3339: when the database said this last. */
  readonly finishedAt: string;
  /** RFC 3339: since when the phase lasted in which it did. Absent: at the first install, and with an earlier version. */
  readonly phaseSince?: string;
  /** Hash of host, port and database name; absent in what an earlier version wrote. */
  readonly database?: string;
  /** Absent where the image's runner cannot tell, as the three below. */
  readonly withheld?: readonly Withheld[];
  readonly contracted?: readonly string[];
  readonly irreversible?: readonly string[];
  /** In the database, and unknown to the image. */
  readonly ahead?: readonly string[];
  /** What else there is of these lists, and was not named. */
  readonly more?: More;
  /** RFC 3339: when it last took something away. */
  readonly contractedAt?: string;
  /** The Job that made a backup before. */
  readonly backup?: string;
  /** The last try to take something away, while it is not made up for. */
  readonly failure?: ContractFailure;
}

/** A migration that takes something away and was not applied; `what` in words: "takes away column t.titulo". */
export interface Withheld {
  readonly id: string;
  readonly what: string;
}

export interface ContractFailure {
  readonly reason: 'ContractFailed' | 'BackupFailed';
  readonly ids: readonly string[];
  readonly message: string;
  /** spec.rollout.retryToken at that time. */
  readonly retryToken?: string;
  /** RFC 3339. */
  readonly at: string;
}

/** What came of undoing a rejected release's migrations. */
export interface Downgrade {
  readonly result: 'Reverted' | 'Kept';
  readonly reverted?: readonly string[];
  readonly why?: string;
  /** RFC 3339. */
  readonly at: string;
}

/** `at`: when the last of it went, RFC 3339. */
export interface Gone {
  readonly ids: readonly string[];
  readonly at: string;
}

/** What a Deployment and its controller say. */
export interface WorkloadView {
  readonly name: string;
  /** The Deployment controller has seen the newest spec. */
  readonly observed: boolean;
  readonly wantedReplicas: number;
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
  /** Epoch milliseconds: the last time that one more pod was made, ready or available. */
  readonly progressedAt?: number;
  /** Why no pod can be made, in the words of whoever refuses it: a quota, an admission policy, a missing account. */
  readonly refused?: string;
  /** Its controller replaces no pods (`kubectl rollout pause`, or a hold of ours). */
  readonly paused?: boolean;
}

/** Something in the pod template that another writer put there. */
export interface ForeignField {
  readonly manager: string;
  /** Below the template, for people: `spec.containers[app].env[FAIL]`. */
  readonly field: string;
}

export interface DeploymentView extends WorkloadView {
  readonly record: RolloutRecord;
  /** Empty but for a moment; a restart that somebody asked for is not in it. */
  readonly foreign: readonly ForeignField[];
  /** What was refused, and whose ControllerRevision is gone; oldest first. */
  readonly refusals?: readonly Refusal[];
}

/** How a pod ended that is still listed: it serves nobody, and its controller has made another one. */
export interface PodEnd {
  readonly reason: string;
  readonly message: string;
  /** Its node or a person wanted it away (condition DisruptionTarget); else it ended for its own sake. */
  readonly disrupted: boolean;
}

/** A serving pod, a rehearsal pod or the pod of a migration Job. */
export interface PodView {
  readonly name: string;
  readonly uid: string;
  readonly release: string;
  readonly ready: boolean;
  readonly deleting: boolean;
  /** While deleting: epoch milliseconds by which it should be gone. */
  readonly goneBy?: number;
  /** While deleting: how many seconds it was given. */
  readonly graceSeconds?: number;
  readonly createdAt: number;
  readonly ip?: string;
  readonly restarts: number;
  /** Reason and message of a container that waits: ImagePullBackOff, CrashLoopBackOff, CreateContainerConfigError … */
  readonly waiting?: { readonly reason: string; readonly message: string };
  /** How the last container that ended did so: `OOMKilled`, `exit code 1`. */
  readonly lastExit?: string;
  /** Epoch milliseconds of that end. */
  readonly lastEndedAt?: number;
  /** The keyring that its kubelet was told of last. */
  readonly keys?: string;
  /** The scheduler found no node for it: its words. */
  readonly unschedulable?: string;
  /** Epoch milliseconds at which it last became ready, or lost it. */
  readonly readyChangedAt?: number;
  /** Digest of the image that really runs. */
  readonly imageId?: string;
  readonly ended?: PodEnd;
}

/** `podRead`: how its pod ended was seen, too; the watch of pods may be behind the one of Jobs. */
export interface JobView {
  /** A Backup of CloudNativePG; absent: a Job. */
  readonly kind?: 'Backup';
  /** Of a backup: when the cluster last told something new of it, epoch milliseconds. */
  readonly progressedAt?: number;
  readonly name: string;
  readonly uid: string;
  readonly migrationId: string;
  /** Hash of the release whose image runs. */
  readonly release: string;
  /** Identity of the database that it works on. */
  readonly database?: string;
  /** What it does, as `taskText` writes it; absent where it brings the schema up for a release. */
  readonly task?: string;
  readonly createdAt: number;
  readonly state:
    | { readonly kind: 'pending'; readonly detail: string }
    /** `ending`: it has failed, and its pods are on their way out. */
    | { readonly kind: 'running'; readonly ending?: boolean }
    | { readonly kind: 'succeeded'; readonly endedAt: number; readonly podRead: boolean; readonly verdict?: JobVerdict }
    | {
        readonly kind: 'failed';
        readonly endedAt: number;
        readonly podRead: boolean;
        readonly detail: string;
        readonly started: boolean;
        /** Its node, or somebody who needed the room or deleted it, ended its pod. */
        readonly disrupted?: boolean;
        readonly verdict?: JobVerdict;
      };
}

/** What a Job does to the schema besides bringing it up for a release. */
export interface SchemaTask {
  readonly direction: 'backup' | 'contract' | 'down' | 'status';
  /** Names of migrations. */
  readonly ids: readonly string[];
}

/** Equal tasks are equal text. */
export const taskText = ({ direction, ids }: SchemaTask): string => `${direction} ${[...ids].sort().join(',')}`.trim();

export const isBackupTask = (text: string | undefined): boolean => text?.startsWith('backup ') === true;

/** What `migrate` of the services may say, and nothing else is believed to be a verdict (services/common/migrate). */
export const RESULTS = [
  'up to date',
  'expanded',
  'reverted',
  'recorded',
  'seeded',
  'clean',
  'pending',
  'contract',
  'faulty',
  'failed',
  'interrupted',
  'edited',
  'renamed',
  'baseline needed',
  'invalid index',
  'different',
  'refused',
  'misused',
  'unreachable',
  'readonly',
  'locked',
  'stopped',
] as const;

/** How many entries of a list the verdict had no room for. */
export type More = Readonly<
  Partial<Record<'applied' | 'pending' | 'withheld' | 'contracted' | 'irreversible' | 'ahead', number>>
>;

/** The database's own word, from the Job's termination message: of a known set or shape, and no words of its own. */
export interface JobVerdict {
  readonly result: (typeof RESULTS)[number];
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** The migrations that it is about, where something is wrong. */
  readonly about?: readonly string[];
  /** Absent where the runner knows nothing of it, as the ones below. */
  readonly withheld?: readonly Withheld[];
  readonly contracted?: readonly string[];
  readonly irreversible?: readonly string[];
  readonly ahead?: readonly string[];
  readonly reverted?: readonly string[];
  /** What `down --if-lossless` would have lost. */
  readonly lost?: readonly string[];
  readonly more?: More;
}

export interface KeyView {
  readonly name: KeyName;
  readonly keyring: string;
  readonly client?: string;
  readonly keyringPresent: boolean;
  /** Of the Secrets, as the stores show them. */
  readonly versions?: { readonly keyring: string | undefined; readonly client: string | undefined };
  readonly clientPresent: boolean;
  /** One of the two is there and is not ours; `isLeaving`: it is what an earlier resource of this name left. */
  readonly foreign?: { readonly name: string; readonly isLeaving: boolean };
  /** Epoch milliseconds, of the keyring. */
  readonly createdAt?: number;
  /** Absent before the first rotation of a keyring that an earlier version of the operator made. */
  readonly record?: RotationRecord;
  readonly content?: Reading<KeyringContent | undefined>;
  /** Somebody else wrote to the Secret that clients read: what was put back there, and whose it was. */
  readonly clientWriter?: string;
  readonly putBack?: PutBack;
  /** While both are accepted: how often the old key is still used. */
  readonly uses?: KeyUses;
  /** While that holds the rotation: who may be it, for people. */
  readonly callers?: readonly string[];
  /** What each serving pod answered; asked in this very pass, and only where the rotation needs to know. */
  readonly proofs?: readonly KeyProof[];
}

/** How often in a row another writer's key was taken out of the Secret that clients read. */
export interface PutBack {
  readonly count: number;
  /** RFC 3339, the last time. */
  readonly at: string;
  /** What was put there instead. */
  readonly keyId?: string;
  /** Field manager of the other writer. */
  readonly by?: string;
}

/** What the pods' counters say of the old key since callers were given the new one. Times in epoch milliseconds. */
export interface KeyUses {
  readonly total: number;
  readonly usedAt: number;
  readonly perMinute: number;
  readonly readAt: number;
  /** Uids of pods that could not be read. */
  readonly unread: readonly string[];
  /** The image does not count: nothing can be known. */
  readonly uncounted: boolean;
  readonly sum: number;
}

/** The ids of what a keyring holds, and of the key that clients hold; never a key. */
export interface KeyringContent {
  readonly current: string;
  readonly ids: readonly string[];
  /** Undefined where there is no such Secret, or what it holds is in the keyring under no id. */
  readonly clientId?: string;
  /** SHA-256 of each key, by id. */
  readonly digests: Readonly<Record<string, string>>;
  /** SHA-256 of what clients hold, whatever it is. */
  readonly clientDigest?: string;
}

export type KeyAnswer = 'accepted' | 'refused' | 'unclear';

/** What one pod answered to the new key, to the old one, to one that nobody ever had, and to none. */
export interface KeyProof {
  readonly uid: string;
  readonly fresh: KeyAnswer;
  /** Absent where nobody has the old key any more. */
  readonly old?: KeyAnswer;
  readonly bogus: KeyAnswer;
  readonly none: KeyAnswer;
  /** Which key it signs with, where that can be asked. */
  readonly current?: string;
  /** For people, where an answer is unclear. */
  readonly why?: string;
}

/** What the pods' own counters say about the release under judgement. */
export interface Judgement {
  readonly verdict: 'Pending' | 'Good' | 'Bad' | 'DependencyDegraded' | 'Overloaded' | 'Insufficient' | 'Blind';
  /** Epoch milliseconds: since when it is this one, as far as this process has seen. */
  readonly since?: number;
  /** Hash of the release that is judged. */
  readonly release: string;
  readonly candidate: GroupFigures;
  readonly baseline: GroupFigures;
  readonly mode?: 'canary' | 'bake';
  /** Of the bake alone: from its first reading on, in epoch milliseconds. */
  readonly window?: {
    readonly from: number;
    readonly requests: number;
    readonly errors: number;
    /** As last read, which is some seconds ago; absent where nobody asked, or pods do not say. */
    readonly p95?: { readonly ms: number; readonly source: string };
  };
  /** How often a Prometheus has read the release's pods since each began; absent where they do not say. */
  readonly scrapes?: number;
  /** Epoch milliseconds. */
  readonly startedAt?: number;
  /** With Bad: of which kind, where it is not that it fails. */
  readonly fault?: 'SlowRegression' | 'OverloadRegression';
  /** The most that was served in this trial, requests a second: by all pods, and by one (of the stable ones, where there are any). */
  readonly borne?: { readonly all: number; readonly perPod: number };
  /** How much of each proof is there; 100: proven. */
  readonly proof?: { readonly badPercent: number; readonly goodPercent: number };
  /** What the stable pods answered passes the test that a release has to pass. */
  readonly baselineIsGood?: boolean;
  /** Figures for people: "11 of 24 requests answered with 5xx (limit 5 %), the pods beside it 0 of 71". */
  readonly message: string;
  /** With Bad: what it was made on. */
  readonly evidence?: VerdictEvidence;
  /** While Pending: what it waits for, without figures, which would change with every reading. */
  readonly pending?: string;
  /** Epoch milliseconds at which the first 5xx of the candidate was read; for the operator's own figures. */
  readonly firstErrorAt?: number;
}

/** `name` without the namespace where it is ours. */
export interface DatabaseSharer {
  readonly name: string;
  readonly allow: readonly string[];
  /** No rollout is on its way, and the image that its spec names serves. */
  readonly isAtRest: boolean;
  /** What its releases took away from this database; `at` in RFC 3339. */
  readonly contracts: readonly { readonly ids: readonly string[]; readonly at: string }[];
}

/** What a Gateway's controller says of a route; of an answer to an earlier generation nothing is kept. */
export interface ParentView {
  /** `namespace/name`. */
  readonly gateway: string;
  /** It is no Gateway, but a ListenerSet. */
  readonly isListenerSet?: true;
  readonly section?: string;
  readonly controller: string;
  /** Absent: not answered in full. */
  readonly answer?: { readonly accepted: boolean; readonly words: string };
}

/** What it says of listeners that are ours. */
export interface ListenersView {
  /** There is one for each of these. */
  readonly hosts: readonly string[];
  /** Absent: not answered in full. `isOfCertificate`: it cannot use the Secret with the certificate. */
  readonly answer?: { readonly accepted: boolean; readonly words: string; readonly isOfCertificate?: true };
}

/** The Ingress or HTTPRoute of a resource, and what others say of it. */
export interface DoorView {
  readonly kind: 'Ingress' | 'HTTPRoute';
  /** That it is for. */
  readonly hosts: readonly string[];
  /** Of an Ingress: where its load balancer is reached. */
  readonly addresses: readonly string[];
  readonly parents: readonly ParentView[];
  /** Where the HTTPRoute is attached, as it is written. */
  readonly attached?: readonly RouteParent[];
  /** The ListenerSet of a Gateway's route. */
  readonly listeners?: ListenersView;
}

/** A ScaledObject as KEDA sees it, and the HorizontalPodAutoscaler that KEDA keeps for it. */
export interface ScaledObjectView {
  readonly ready: 'True' | 'False' | 'Unknown';
  /** Prometheus does not answer: the pods that run stay. */
  readonly fallsBack: boolean;
  readonly message: string;
  /** Why its HorizontalPodAutoscaler does not scale. */
  readonly trouble?: string;
}

export interface Orphan {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Field managers of those who wrote to the resource. */
export interface Writers {
  /** Of the spec, last. `at` in RFC 3339. */
  readonly spec?: { readonly by: string; readonly at: string };
  /** By the name of the annotation. */
  readonly requests?: Readonly<Record<string, string>>;
}

export interface Snapshot {
  /** Epoch milliseconds. Time arrives here; no stage asks a clock. */
  readonly now: number;
  readonly app: AppResource;
  readonly writers?: Writers;
  readonly missing: readonly MissingReference[];
  /** Unknown while a reference is missing or could not be read. */
  readonly wanted: Reading<Wanted>;
  /** Hashes of new releases cannot be made without it: one of its two copies is not there, or neither. */
  readonly lacksSeed?: 'copy' | 'both';
  readonly keys: readonly KeyView[];
  /** Oldest first. */
  readonly revisions: readonly Revision[];
  /** Records of releases that were taken back or refused, oldest first; and of what is held, or was an outage. */
  readonly incidents?: readonly IncidentSummary[];
  readonly standing?: readonly IncidentSummary[];
  /** Absent before the first install. */
  readonly deployment?: DeploymentView;
  /** A later version of the operator wrote the record on the Deployment: nothing is touched. */
  readonly isLaterRecord?: boolean;
  /** The record was decided on a later spec than there is: the API server was asked. */
  readonly isForetold?: true;
  /** The Deployment of the release that is on trial. */
  readonly candidate?: WorkloadView;
  /** The worker's Deployment, for releases that have one. */
  readonly worker?: WorkloadView;
  /** Serving pods of every release, candidates too; also those that have ended and are still listed. */
  readonly pods: readonly PodView[];
  readonly workers: readonly PodView[];
  readonly rehearsals: readonly PodView[];
  /** Names of the copies of ConfigMaps that were made for its releases. */
  readonly configMaps: readonly string[];
  /** Migration Jobs of this resource, and what makes its backups. */
  readonly jobs: readonly JobView[];
  /** Why Backups of CloudNativePG, which matter to this pass, could not be read. */
  readonly backupsUnread?: string;
  /** Name of a migration Job of another resource that has the same database in hand; of other namespaces no name. */
  readonly databaseBusyWith?: string;
  /** Other resources that serve from the same database, and what they have agreed to. */
  readonly databaseSharedWith?: readonly DatabaseSharer[];
  /** Children that belong to nobody, and that the resource's annotation says to take over. */
  readonly orphans: readonly Orphan[];
  readonly judgement?: Judgement;
  /** A monitor of ours that a Prometheus selected and does not take: who, and in its words why. */
  readonly monitorRefused?: {
    readonly kind: 'ServiceMonitor' | 'PodMonitor';
    readonly name: string;
    readonly by: string;
    readonly why: string;
  };
  /** The HorizontalPodAutoscaler of ours. */
  readonly autoscaler?: { readonly active: boolean; readonly message: string };
  /** KEDA's, of the serving Deployment and of the worker. */
  readonly scaledObject?: ScaledObjectView;
  /** The HorizontalPodAutoscaler that KEDA keeps for it is there: it is collected after the ScaledObject. */
  readonly kedaScales?: true;
  readonly workerScaledObject?: ScaledObjectView;
  /** Where Prometheus is asked, if the operator was told. */
  readonly prometheusUrl?: string;
  /** Its rollouts are told as traces. */
  readonly isTraced?: true;
  readonly door?: DoorView;
  /** The Secret that the router's certificate is read from. */
  readonly certificate?: {
    readonly secret: string;
    readonly isThere: boolean;
    /** Epoch milliseconds; absent: it could not be read. */
    readonly expiresAt?: number;
  };
  /** Kinds that a cluster may lack. */
  readonly apis: Apis;
  /** Another installation of the operator that watches the namespace, and stands back: `namespace/name` of its Lease. */
  readonly otherOperator?: string;
  /** Somebody else writes the status again and again, under our name. */
  readonly isContested?: true;
  /** A rotation's write was refused in the pass before: by whom, in its own words. */
  readonly refusedRotation?: string;
}

// ---- small facts that several stages share

/** An image that cannot be pulled, or a pod that no node takes, shows itself by then. */
export const START_GRACE_MS = 120_000;

export const inPhase = ({ deployment }: Snapshot, ...phases: readonly RolloutRecord['phase'][]): boolean =>
  deployment !== undefined && phases.includes(deployment.record.phase);

/** A rollout has begun and has not ended: it goes on even if the spec cannot be read now. */
export const inFlight = (seen: Snapshot): boolean =>
  inPhase(seen, 'Installing', 'Candidate', 'Promoting', 'RollingBack', 'RollingBackAll');

export const wantedHash = ({ wanted }: Snapshot): string | undefined =>
  wanted.known ? wanted.value.release.hash : undefined;

export const revisionOf = ({ revisions }: Snapshot, hash: string | undefined): Revision | undefined =>
  revisions.find(revision => revision.release.hash === hash);

/** How a release is called in messages; by its hash where nobody remembers it. */
export const versionIn = (seen: Snapshot, hash: string): string =>
  versionOf(revisionOf(seen, hash)?.release.image ?? hash);

/** The spec asks for a release that is neither tried nor serving. */
export const hasNewRelease = (seen: Snapshot): boolean => {
  const hash = wantedHash(seen);
  return hash !== undefined && hash !== seen.deployment?.record.release;
};

/** Serving pods of one release that are not on their way out, or gone. */
export const podsOf = ({ pods }: Snapshot, release: string | undefined): readonly PodView[] =>
  pods.filter(pod => pod.release === release && !pod.deleting && !pod.ended);

/** Workers of every release that are not on their way out, or gone. */
export const workersOf = ({ workers }: Snapshot): readonly PodView[] =>
  workers.filter(({ deleting, ended }) => !deleting && !ended);

/**
 * None of the pods that were there before the release is ready: whatever is wrong, the release is not its cause. Where
 * none of them is left there is nobody to ask.
 */
export const stableIsDown = (seen: Snapshot): boolean => {
  const record = seen.deployment?.record;
  if (!record) return false;
  const isTried = inPhase(seen, 'Candidate', 'Promoting') && record.stable !== undefined;
  const beside = podsOf(seen, isTried ? record.stable : record.release);
  return beside.length > 0 && beside.every(pod => !pod.ready);
};

/** A release that the spec asks for, that is not there yet and may still come. */
export const isReleaseComing = (seen: Snapshot): boolean =>
  hasNewRelease(seen) && revisionOf(seen, wantedHash(seen))?.verdict.verdict !== 'rejected';

/** A first release that is still baking, without a fault until now: users are served, and it can be gone back to. */
export const servesUnproven = (seen: Snapshot): boolean =>
  inPhase(seen, 'Baking') && seen.judgement?.verdict !== 'Bad' && (seen.deployment?.readyReplicas ?? 0) > 0;

export const secondsSince = (iso: string, now: number): number => (now - Date.parse(iso)) / 1000;

export const iso = (epochMs: number): string => new Date(epochMs).toISOString();

/** 1,234,567. By hand: `toLocaleString` keeps 6 MiB of tables for it. */
export const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

/** Image names are shown by what tells two releases apart: `1.4.0`, or the beginning of the digest. */
export function versionOf(image: string): string {
  const digest = image.split('@sha256:')[1];
  if (digest) return `sha256:${digest.slice(0, 12)}`;
  return image.slice(image.lastIndexOf(':') + 1);
}
