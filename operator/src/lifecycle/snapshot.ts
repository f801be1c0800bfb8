// Everything that one pass knows, read before it decides. What could not be read is a value too: it means wait.
import type { AppResource } from '../api/resource.ts';
import type { Release, RolloutRecord } from '../api/rollout.ts';
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
  };
  /** spec.rollout.retryToken when the verdict was given. */
  readonly retryToken?: string;
  readonly migration?: MigrationResult;
  readonly rehearsal?: {
    readonly passed: boolean;
    readonly attempts: number;
    readonly message: string;
    readonly at: string;
  };
}

export interface MigrationResult {
  readonly id: string;
  readonly jobName: string;
  readonly result: 'UpToDate' | 'ExitCodeOnly';
  readonly applied: readonly string[];
  readonly finishedAt: string;
}

export interface DeploymentView {
  readonly record: RolloutRecord;
  /** The Deployment controller has seen the newest spec. */
  readonly observed: boolean;
  readonly wantedReplicas: number;
  readonly replicas: number;
  readonly updatedReplicas: number;
  readonly readyReplicas: number;
  readonly availableReplicas: number;
}

/** A serving pod, a rehearsal pod or the pod of a migration Job. */
export interface PodView {
  readonly name: string;
  readonly uid: string;
  readonly release: string;
  readonly ready: boolean;
  readonly deleting: boolean;
  /** While deleting: how many seconds it was given. */
  readonly graceSeconds?: number;
  readonly createdAt: number;
  readonly ip?: string;
  readonly restarts: number;
  /** Reason and message of a container that waits: ImagePullBackOff, CrashLoopBackOff, CreateContainerConfigError … */
  readonly waiting?: { readonly reason: string; readonly message: string };
  /** How the last container that ended did so: `OOMKilled`, `exit code 1: …`. */
  readonly lastExit?: string;
  /** The keyring that its kubelet was told of last. */
  readonly keys?: string;
  /** The scheduler found no node for it: its words. */
  readonly unschedulable?: string;
}

/** `podRead`: how its pod ended was seen, too; the watch of pods may be behind the one of Jobs. */
export interface JobView {
  readonly name: string;
  readonly uid: string;
  readonly migrationId: string;
  readonly createdAt: number;
  readonly state:
    | { readonly kind: 'pending'; readonly detail: string }
    | { readonly kind: 'running' }
    | { readonly kind: 'succeeded'; readonly endedAt: number; readonly podRead: boolean; readonly verdict?: JobVerdict }
    | {
        readonly kind: 'failed';
        readonly endedAt: number;
        readonly podRead: boolean;
        readonly detail: string;
        readonly started: boolean;
        readonly verdict?: JobVerdict;
      };
}

/** The database's own word, from the Job's termination message. */
export interface JobVerdict {
  readonly result: string;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  readonly message?: string;
}

export interface KeyView {
  readonly name: KeyName;
  readonly keyring: string;
  readonly client?: string;
  readonly keyringPresent: boolean;
  readonly clientPresent: boolean;
  /** One of the two is there and is not ours; `isLeaving`: it is what an earlier resource of this name left. */
  readonly foreign?: { readonly name: string; readonly isLeaving: boolean };
  /** Epoch milliseconds, of the keyring. */
  readonly createdAt?: number;
  /** Absent before the first rotation of a keyring that an earlier version of the operator made. */
  readonly record?: RotationRecord;
  readonly content?: Reading<KeyringContent | undefined>;
  /** What each serving pod answered; asked in this very pass, and only where the rotation needs to know. */
  readonly proofs?: readonly KeyProof[];
}

/** The ids of what a keyring holds, and of the key that clients hold; never a key. */
export interface KeyringContent {
  readonly current: string;
  readonly ids: readonly string[];
  /** Undefined where there is no such Secret, or what it holds is in the keyring under no id. */
  readonly clientId?: string;
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
  readonly verdict: 'Pending' | 'Good' | 'Bad' | 'DependencyDegraded' | 'Insufficient' | 'Blind';
  /** Hash of the release that is judged. */
  readonly release: string;
  readonly candidate: { readonly requests: number; readonly errors: number };
  readonly baseline: { readonly requests: number; readonly errors: number };
  /** Figures for people: "11 of 24 requests answered with 5xx (limit 5 %), the pods beside it 0 of 71". */
  readonly message: string;
  /** Epoch milliseconds at which the first 5xx of the candidate was read; for the operator's own figures. */
  readonly firstErrorAt?: number;
}

export interface Snapshot {
  /** Epoch milliseconds. Time arrives here; no stage asks a clock. */
  readonly now: number;
  readonly app: AppResource;
  readonly missing: readonly MissingReference[];
  /** Unknown while a reference is missing or could not be read. */
  readonly wanted: Reading<Wanted>;
  readonly keys: readonly KeyView[];
  /** Oldest first. */
  readonly revisions: readonly Revision[];
  /** Absent before the first install. */
  readonly deployment?: DeploymentView;
  /** Serving pods of every release. */
  readonly pods: readonly PodView[];
  readonly rehearsals: readonly PodView[];
  /** Migration Jobs of this resource. */
  readonly jobs: readonly JobView[];
  /** `namespace/name` of a migration Job of another resource that has the same database in hand. */
  readonly databaseBusyWith?: string;
  readonly judgement?: Judgement;
  readonly autoscaler?: { readonly active: boolean; readonly message: string };
  readonly serviceMonitorAvailable: boolean;
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

/** The spec asks for a release that the Deployment does not carry. */
export const hasNewRelease = (seen: Snapshot): boolean => {
  const hash = wantedHash(seen);
  return hash !== undefined && hash !== seen.deployment?.record.release;
};

/** Serving pods of one release that are not on their way out. */
export const podsOf = ({ pods }: Snapshot, release: string | undefined): readonly PodView[] =>
  pods.filter(pod => pod.release === release && !pod.deleting);

/** None of the pods that serve now is ready: whatever is wrong, a new release is not its cause. */
export const stableIsDown = (seen: Snapshot): boolean => {
  const record = seen.deployment?.record;
  if (!record) return false;
  const beside = podsOf(seen, record.phase === 'Candidate' ? record.stable : record.release);
  return beside.length > 0 && beside.every(pod => !pod.ready);
};

/** A first release that is still baking, without a fault until now: users are served, and it can be gone back to. */
export const servesUnproven = (seen: Snapshot): boolean =>
  inPhase(seen, 'Baking') && seen.judgement?.verdict !== 'Bad' && (seen.deployment?.readyReplicas ?? 0) > 0;

export const secondsSince = (iso: string, now: number): number => (now - Date.parse(iso)) / 1000;

export const iso = (epochMs: number): string => new Date(epochMs).toISOString();

/** Image names are shown by what tells two releases apart: `1.4.0`, or the beginning of the digest. */
export function versionOf(image: string): string {
  const digest = image.split('@sha256:')[1];
  if (digest) return `sha256:${digest.slice(0, 12)}`;
  return image.slice(image.lastIndexOf(':') + 1);
}
