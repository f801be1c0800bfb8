// The facts of a rollout, kept as one annotation on the Deployment and written in the same patch as its pod
// template: deciding and acting are one write, so there is no instant between them at which a crash could lose one.
// Each is written only over the one that it was decided on (resourceVersion): a stale store cannot undo anything.

import type { GroupFigures, IncidentFacts } from './incident.ts';
import { jsonOf } from './json.ts';
import { noteIn } from './notes.ts';

/** What one release is. The template is rendered once, when the release is first seen, and never again. */
export interface Release {
  /** Ten hex digits over everything in the spec that changes pods, and over the content of the Secrets it names. */
  hash: string;
  image: string;
  /** Pod template of the serving pods (a `core/v1 PodTemplateSpec`), label `devshelf.dev/release` included. */
  template: PodTemplate;
  /** Pod template of the worker, for kinds that have one. */
  worker?: PodTemplate;
  /** Id of the migration that must be there before this release runs; absent when migrations are disabled. */
  migrationId?: string;
  /** ConfigMaps that were copied for it; absent where the spec names none. */
  configMaps?: readonly ConfigurationCopy[];
  /** Public names that its pods know; absent: none. */
  hosts?: readonly string[];
}

/** A copy that nobody can change of a ConfigMap as it was when the release was first seen. */
export interface ConfigurationCopy {
  readonly source: string;
  /** Of the copy. */
  readonly name: string;
  /** Hash of what the release takes of it. */
  readonly content: string;
}

/** Structural `PodTemplateSpec`: rendered by `objects/`, stored and applied as it is by everyone else. */
export interface PodTemplate {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: Record<string, unknown>;
}

/**
 * Where a rollout stands. `<name>` is the Deployment that serves, `<name>-candidate` exists only during a trial.
 *
 * ```
 * Installing ──► Baking ──► Settled ──► Candidate ──► Promoting ──► Baking ──► Settled
 *                                          │              └──────┬─────┘
 *                                          ▼                     ▼
 *                                     RollingBack         RollingBackAll ──► Settled
 *
 * <name> runs      stable   stable       stable        release      release
 * candidate runs     -        -          release       release         -
 * ```
 */
export const PHASES = [
  'Installing',
  'Candidate',
  'Promoting',
  'Baking',
  'Settled',
  'RollingBack',
  'RollingBackAll',
] as const;
export type Phase = (typeof PHASES)[number];

/** What a verdict was made on, at most 2 KiB: kept with the release. */
export interface VerdictEvidence {
  /** e-values: how many times likelier the counts are if the release is above its limit, and worse than what is beside it. */
  readonly absolute: number;
  readonly relative: number;
  readonly candidate: { readonly requests: number; readonly errors: number };
  readonly baseline: { readonly requests: number; readonly errors: number };
  /** The worst first, at most five: templates, never an address. */
  readonly routes: readonly { readonly route: string; readonly requests: number; readonly errors: number }[];
}

/** Why a release was taken out. */
export interface Withdrawal {
  /** What the incident's record will say; of a rejected one, until it is written. */
  facts?: IncidentFacts;
  release: string;
  /** `rejected` stays out until a new spec or retryToken; `superseded` was only overtaken by a newer spec. */
  verdict: 'rejected' | 'superseded';
  reason: string;
  message: string;
  /** RFC 3339. */
  at: string;
  evidence?: VerdictEvidence;
}

/** What was taken away before a release that is still watched, and what its predecessor answered without it. */
export interface Contract {
  /** Names of migrations. */
  ids: readonly string[];
  /** By the stable pods, after the contract, beside the candidate. */
  served: { requests: number; errors: number };
  /** These figures pass the test that a release has to pass. */
  proven: boolean;
}

/** Records of version 1 have no number: a candidate was then held inside the serving Deployment. */
export const RECORD_VERSION = 2;

/** What a candidate was promoted on. */
export interface TrialFigures {
  readonly verdict: string;
  /** RFC 3339: when it was promoted. */
  readonly at: string;
  readonly candidate: GroupFigures;
  readonly baseline: GroupFigures;
  /** Of one that a person let on. */
  readonly byHand?: PromotedByHand;
}

/** What people may ask for about one release, by an annotation of the resource. */
export const GATES = ['promote', 'hold', 'reject'] as const;
export type Gate = (typeof GATES)[number];

/** The word in a request to promote by which a person says that the figures are known. */
export const DESPITE = 'despite-evidence';

/** The last request of its kind that was answered: the same text is never answered twice. */
export interface AnsweredRequest {
  /** The annotation's text without secrets, of at most {@link MAX_REQUEST} characters of it. */
  readonly request: string;
  readonly result: 'Done' | 'Refused';
  /** RFC 3339: when it was answered. */
  readonly at: string;
  readonly message: string;
}

/** Of an annotation's text as much is read, and remembered. */
export const MAX_REQUEST = 200;

/** A person let the release on, before it was proven to be good. */
export interface PromotedByHand {
  /** RFC 3339. */
  readonly at: string;
  /** Where it was then. */
  readonly phase: Phase;
  /** Field manager of whoever asked; absent where the API server does not say. */
  readonly by?: string;
  /** The request. */
  readonly text: string;
  /** With it the figures say that the release is bad, and the person knew. */
  readonly despite?: string;
}

/** What was decided, and about which release. */
export interface DecisionNote {
  readonly release: string;
  readonly reason: string;
  /** RFC 3339. */
  readonly at: string;
}

export interface RolloutRecord {
  phase: Phase;
  /** Hash of the release that is tried, or serves. */
  release: string;
  /** Hash of the release that a rollback returns to; absent until a first release has been proven. */
  stable?: string;
  /** RFC 3339, when this phase began. */
  since: string;
  /** A bad release in the middle of its promotion, and a person decides (policy Hold): no further pod is replaced. */
  held?: true;
  /** RFC 3339: when something of another writer was last taken out of the pod template. */
  restoredAt?: string;
  withdrawn?: Withdrawal;
  /** 5xx share of the stable release when its successor was promoted: what the bake compares with. */
  stableErrorRatio?: number;
  /** The most that was served in its trial, requests a second: by all pods, and by one of the stable release. */
  borne?: { readonly all: number; readonly perPod: number };
  /** Written with the promotion of a release that took something away. */
  contract?: Contract;
  /** Absent: 1. */
  version?: typeof RECORD_VERSION;
  /** Grows with each record of a resource: one that comes back from the Deployment's history is known as old by it. */
  write?: number;
  /** The spec that it was decided on: whoever sees an earlier one of the same resource has been told old things. */
  decidedOn?: SpecSeen;
  /** What was wanted then. */
  wanted?: WantedBefore;
  /** From the promotion on, until the release is written down. */
  trial?: TrialFigures;
  /** Requests of people that were answered, by kind; goes from each record to the next. */
  asked?: Partial<Record<Gate, AnsweredRequest>>;
  /** A candidate that a person holds: in words who asked, and when. */
  heldBy?: string;
  /** Until the release is written down. */
  byHand?: PromotedByHand;
  /** RFC 3339, when its rollout began: only of a release whose rollout came to an end once before. */
  again?: string;
  /** The last of each decision that is kept nowhere else, by its name; of the day before this record. */
  decisions?: Readonly<Record<string, DecisionNote>>;
}

/** One state of a resource's spec; its generation only grows. */
export interface SpecSeen {
  readonly uid: string;
  readonly generation: number;
}

/**
 * What a spec and the Secrets and ConfigMaps that it names came to. As long as `sources` is the same they need not be
 * read to know it again.
 */
export interface WantedBefore {
  /** Hash of the spec's fields and of which version of each object was read; of nothing that is in them. */
  readonly sources: string;
  /** Hash of the release. */
  readonly release: string;
  /** Hash of host, port and database name. */
  readonly database: string;
}

/** The annotation's text. Keys in a fixed order, so that equal records are equal text. */
export function formatRecord(record: RolloutRecord): string {
  const { phase, release, stable, since, held, restoredAt, withdrawn, stableErrorRatio, contract, version, write } =
    record;
  const { borne, decidedOn, wanted, trial, asked, heldBy, byHand, again, decisions } = record;
  const known = {
    phase,
    release,
    stable,
    since,
    held,
    restoredAt,
    withdrawn,
    stableErrorRatio,
    borne,
    contract,
    version,
    write,
    decidedOn,
    wanted,
    trial,
    asked,
    heldBy,
    byHand,
    again,
    decisions,
  };
  return JSON.stringify(known);
}

/** `later`: written by a later version of the operator, whose rollout this one does not understand. */
export type ReadRecord = RolloutRecord | 'later' | undefined;

/** Undefined when the annotation is absent or is not one that an operator wrote. */
export function parseRecord(text: string | undefined): ReadRecord {
  const given = jsonOf(text) as RolloutRecord | null | undefined;
  if (typeof given?.release !== 'string' || typeof given.phase !== 'string') return undefined;
  const { phase, version = 1 } = given;
  // whoever may annotate a Deployment may put anything there: an object cannot be compared
  const isKnown = PHASES.includes(phase) && typeof version === 'number' && version <= RECORD_VERSION;
  return isKnown ? noteIn('rollout', given) : 'later';
}

/** The release of the serving Deployment: what the worker runs, too, and what a candidate is compared with. */
export function releaseInForce(record: RolloutRecord): string {
  return record.phase === 'Candidate' ? (record.stable ?? record.release) : record.release;
}

/** The release that has pods of its own beside those of the serving Deployment. */
export function releaseOnTrial({ phase, release, stable }: RolloutRecord): string | undefined {
  return (phase === 'Candidate' || phase === 'Promoting') && stable !== undefined ? release : undefined;
}

/** Releases whose pods users may meet: in a promotion also those that are being replaced. */
export function servingReleases(record: RolloutRecord): readonly string[] {
  const leaving = record.phase === 'Promoting' ? record.stable : undefined;
  const all = [releaseInForce(record), releaseOnTrial(record), leaving];
  return [...new Set(all.filter(hash => hash !== undefined))];
}
