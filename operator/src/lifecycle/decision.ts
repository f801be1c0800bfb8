// What a stage may answer. The first answer that is not `proceed` is the answer of the whole pass.
import type { Condition, ConditionType } from '../api/conditions.ts';
import type { IncidentRecord, Refusal } from '../api/incident.ts';
import type { Reason } from '../api/reasons.ts';
import type { Release, RolloutRecord } from '../api/rollout.ts';
import type { RotationRecord } from '../api/rotation.ts';
import type { Orphan, PutBack, SchemaTask, Snapshot } from './snapshot.ts';

/** What a rotation does to a keyring; `restore` puts back what somebody else took out. */
export type KeyringChange = 'add' | 'restore' | 'switch' | 'revoke' | 'finish';

/** resourceVersions of the Secrets as the pass saw them: over others nothing is written. */
export interface DecidedOn {
  readonly keyring: string | undefined;
  readonly client: string | undefined;
}

/**
 * The one thing that a pass does besides applying children that differ. Each is harmless when asked for twice:
 * names are hashes of what they stand for, creations refuse a second one, annotations are set to values.
 */
export type Action =
  | { do: 'adopt'; orphans: readonly Orphan[] }
  | { do: 'mintKeyring'; keyring: string }
  | { do: 'mintSeed' }
  | { do: 'publishKey'; keyring: string; client: string }
  /** The keyring and the record of its rotation, in one patch; without `change` the record only. */
  | { do: 'rotateKey'; keyring: string; change?: KeyringChange; record: RotationRecord; decidedOn?: DecidedOn }
  /** Clients are given the new key, and told how long the one before it lives. */
  | {
      do: 'handOverKey';
      keyring: string;
      client: string;
      keyId: string;
      previousUntil: string;
      putBack?: PutBack;
      decidedOn?: DecidedOn;
    }
  /** Their kubelets bring the changed keyring at once, instead of within two minutes. */
  | { do: 'syncPods'; pods: readonly string[]; keys: string }
  /** `set`: of one that was refused before, so that it is never there without its verdict. */
  | { do: 'createRevision'; release: Release; revision: number; set?: Readonly<Record<string, string | null>> }
  | { do: 'createIncident'; record: IncidentRecord; revision: number }
  /** Refusals that are to outlive their ControllerRevisions, on the Deployment. */
  | { do: 'rememberRefusals'; refusals: readonly Refusal[] }
  /** Makes the ControllerRevision of a release that runs anew, from its ReplicaSets. */
  | { do: 'recoverRevision'; hash: string; revision: number; set: Readonly<Record<string, string | null>> }
  | { do: 'annotateRevision'; revision: string; set: Readonly<Record<string, string | null>> }
  | { do: 'deleteRevision'; revision: string }
  /** Makes the ones that are missing. */
  | { do: 'copyConfigMaps'; release: Release }
  | { do: 'deleteConfigMap'; name: string }
  | { do: 'createMigrationJob'; release: Release; migrationId: string }
  | { do: 'createSchemaJob'; release: Release; task: SchemaTask }
  /** From the template of a CronJob, or of a Cluster, that the spec names. */
  | ({ do: 'createBackup'; release: Release; task: SchemaTask } & BackupSource)
  | { do: 'deleteJob'; job: string; uid: string; kind?: 'Backup' }
  /** `worker`: the release's worker instead of what serves. */
  | { do: 'createRehearsal'; release: Release; worker?: true }
  | { do: 'rehearse'; pod: string; revision: string; attempt: number }
  | { do: 'deletePod'; pod: string; uid: string }
  /** A pod that is on its way out anyway gets no long goodbye. */
  | { do: 'hurryPod'; pod: string; uid: string; graceSeconds: number }
  /** Writes the Deployment: the record and the pod template that belongs to it, in one patch. */
  | { do: 'setRecord'; record: RolloutRecord };

export type BackupSource = { readonly cronJob: string } | { readonly cnpgCluster: string };

/** Said once, to people: an event on the custom resource. */
export interface Announcement {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly message: string;
}

export type Decision = { readonly condition: Condition } & (
  | { readonly kind: 'proceed' }
  /** `ready`: the wanted release serves already, what is waited for only confirms it. */
  | { readonly kind: 'wait'; readonly recheckMs: number; readonly ready?: boolean }
  | { readonly kind: 'act'; readonly action: Action; readonly announce?: Announcement }
  /** Nothing goes on by itself: the message says what a person can do. */
  | { readonly kind: 'fail' }
);

export type Stage = (seen: Readonly<Snapshot>) => Decision;

/** An interrupt that has nothing to say returns undefined. */
export type Interrupt = (seen: Readonly<Snapshot>) => Decision | undefined;

/** The answers of a stage that speaks through one condition. */
export function about(type: ConditionType) {
  const condition = (status: Condition['status'], reason: Reason, message: string): Condition => ({
    type,
    status,
    reason,
    message,
  });
  return {
    proceed: (reason: Reason, message: string): Decision => ({
      kind: 'proceed',
      condition: condition('True', reason, message),
    }),
    /** Goes on, but says that something is not as it should be. */
    concede: (reason: Reason, message: string): Decision => ({
      kind: 'proceed',
      condition: condition('False', reason, message),
    }),
    wait: (reason: Reason, message: string, recheckMs: number): Decision => ({
      kind: 'wait',
      recheckMs,
      condition: condition('Unknown', reason, message),
    }),
    act: (reason: Reason, message: string, action: Action, announce?: Announcement['type']): Decision => ({
      kind: 'act',
      action,
      condition: condition('Unknown', reason, message),
      ...(announce && { announce: { type: announce, reason, message } }),
    }),
    fail: (reason: Reason, message: string): Decision => ({
      kind: 'fail',
      condition: condition('False', reason, message),
    }),
  };
}
