// Which release is on trial, and how: the question that the pods' own counters are asked.
import type { AppResource } from '../api/resource.ts';
import type { RolloutRecord } from '../api/rollout.ts';
import type { Answer, Ask } from '../evidence/smoke.ts';
import type { Judgement, Revision } from '../lifecycle/snapshot.ts';
import type { AppKey } from './world.ts';

export interface TrialRequest {
  /** `canary`: beside pods of `baseline`. `bake`: every serving pod runs it, nothing is beside it. */
  readonly mode: 'canary' | 'bake';
  readonly release: string;
  readonly baseline?: string;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly stableErrorRatio?: number;
  /** Of the bake: the most that was served beside the stable pods, requests a second. */
  readonly borne?: { readonly all: number; readonly perPod: number };
}

/** What a rehearsal found; how often and when is the pass's to say. */
export type Rehearsed = Omit<NonNullable<Revision['rehearsal']>, 'attempts' | 'at'>;

/** What the controller asks of the running pods; evidence/ answers. */
export interface Evidence {
  /** Goes on with the trial, begins another, or ends it (undefined). Asked in each pass: the same request changes nothing. */
  follow(app: AppResource, trial: TrialRequest | undefined): void;
  forget(key: AppKey): void;
  judgement(key: AppKey): Judgement | undefined;
  /**
   * Asks a rehearsal pod what probes, scrapers, the spec's smoke tests and of late users ask. Never throws for what it answers. May take
   * minutes; after the signal every answer counts as none.
   */
  rehearse(app: AppResource, pod: string, signal: AbortSignal): Promise<Rehearsed>;
  /** One GET to a pod as anybody could make it: no token is added. @throws when no answer comes */
  ask(app: AppResource, pod: string, request: Parameters<Ask>[0]): Promise<Answer>;
  stop(): Promise<void>;
}

export function trialOf(app: AppResource, record: RolloutRecord | undefined): TrialRequest | undefined {
  if (!record || app.spec.rollout.analysis.policy === 'Disabled') return undefined;
  const startedAt = Date.parse(record.since);
  const { release, stable, stableErrorRatio, borne } = record;
  switch (record.phase) {
    case 'Candidate':
      return { mode: 'canary', release, startedAt, ...(stable !== undefined && { baseline: stable }) };
    case 'Promoting':
    case 'Baking':
    case 'Installing':
      return {
        ...{ mode: 'bake', release, startedAt },
        ...(stableErrorRatio !== undefined && { stableErrorRatio }),
        ...(borne && { borne }),
      };
    case 'Settled':
    case 'RollingBack':
    case 'RollingBackAll':
      return undefined;
  }
}
