// PURE: a resource -> its keys by their ids, how far each is replaced, and who still uses the old one. Never a key, and no
// digest of one.
import type { RotationState } from '../../api/rotation.ts';
import type { SeenResource } from './status.ts';

export type SeenKey = {
  readonly name?: string;
  readonly secret?: string;
  readonly state?: string;
  readonly currentKeyId?: string;
  readonly nextKeyId?: string;
  readonly mode?: string;
  readonly previousUntil?: string;
  readonly lastRotationTime?: string;
  readonly nextRotationTime?: string;
  readonly revoked?: readonly { readonly id?: string }[];
  readonly previousUses?: number;
  readonly previousUsePerMinute?: number;
  readonly previousUsedAt?: string;
};

export type KeyModel = {
  readonly name: string;
  /** What the pods accept. */
  readonly secret: string;
  readonly state: string;
  /** What that means. */
  readonly means?: string;
  readonly currentKeyId?: string;
  readonly nextKeyId?: string;
  readonly mode?: string;
  /** RFC 3339, all of them. */
  readonly previousUntil?: string;
  readonly since?: string;
  readonly next?: string;
  /** Since callers were given the new key; absent: both are not accepted now, or the image does not count. */
  readonly oldKey?: { readonly requests: number; readonly perMinute?: number; readonly lastAt?: string };
  /** Ids, the newest last. */
  readonly revoked: readonly string[];
};

export type KeysModel = {
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  /** Of KeysCurrent; who may hold the old key is in its message. */
  readonly state: 'current' | 'held' | 'under way' | 'unknown';
  readonly reason?: string;
  readonly message?: string;
  readonly keys: readonly KeyModel[];
};

const MEANS: Readonly<Record<RotationState, string>> = {
  Idle: 'nothing is under way',
  Accepting: 'the new key is in the keyring; every pod is asked whether it accepts both',
  Switching: 'every pod accepts both; callers are given the new key',
  Draining: 'callers have the new key; both are accepted until nobody uses the old one',
  Revoking: 'the old key left the keyring; every pod is asked whether it refuses it',
};

export function keysView({ kind, metadata, status = {} }: SeenResource): KeysModel {
  const said = status.conditions?.find(({ type }) => type === 'KeysCurrent');
  const states = { True: 'current', False: 'held' } as const;
  return {
    ...{ kind, name: metadata.name, namespace: metadata.namespace ?? '' },
    state: said ? (states[said.status as keyof typeof states] ?? 'under way') : 'unknown',
    ...(said?.reason !== undefined && { reason: said.reason }),
    ...(said?.message !== undefined && { message: said.message }),
    keys: (status.keys ?? []).map(keyOf),
  };
}

function keyOf(key: SeenKey): KeyModel {
  const { name = '?', secret = '?', state = '?', currentKeyId, nextKeyId, mode, previousUntil } = key;
  const { lastRotationTime: since, nextRotationTime: next, revoked = [] } = key;
  const { previousUses: requests, previousUsePerMinute: perMinute, previousUsedAt: lastAt } = key;
  const means = Object.entries(MEANS).find(([known]) => known === state)?.[1];
  return {
    ...{ name, secret, state },
    ...(means !== undefined && { means }),
    ...(currentKeyId !== undefined && { currentKeyId }),
    ...(nextKeyId !== undefined && { nextKeyId }),
    ...(mode !== undefined && { mode }),
    ...(previousUntil !== undefined && { previousUntil }),
    ...(since !== undefined && { since }),
    ...(next !== undefined && { next }),
    ...(requests !== undefined && {
      oldKey: { requests, ...(perMinute !== undefined && { perMinute }), ...(lastAt !== undefined && { lastAt }) },
    }),
    revoked: revoked.flatMap(({ id }) => id ?? []),
  };
}
