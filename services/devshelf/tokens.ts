import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import { countUse, type Keyring, type KeyringSource } from '../common/keyring.ts';

const ISSUER = 'devshelf';
const AUDIENCE = 'devshelf-api';
const ALGORITHM = 'HS256';

/** Whatever `exp` says, no access token is older than this. Seconds */
const MAX_AGE_SECONDS = 15 * 60;

/** How far the clocks of two pods may be apart: a token must be good at once, wherever it was issued. Seconds */
const CLOCK_TOLERANCE_SECONDS = 5;

/** What an access token says, once it is known to be ours. */
export type AccessClaims = {
  readonly userId: string;
  readonly sessionId: string;
  readonly jti: string;
  /** from then on nobody accepts it, whatever his clock says */
  readonly expiresAt: Date;
};

export type AccessTokens = {
  readonly lifetimeSeconds: number;
  /** Signed with the keyring's current key, whose id is in the header. */
  issue(userId: string, sessionId: string): Promise<string>;
  /** Undefined when the token is not ours, not valid any more or not an access token. */
  verify(token: string): Promise<AccessClaims | undefined>;
};

const claims = z
  .object({ typ: z.literal('access'), sub: z.guid(), sid: z.guid(), jti: z.string().min(1), exp: z.number() })
  .transform(({ sub, sid, jti, exp }) => ({
    userId: sub,
    sessionId: sid,
    jti,
    expiresAt: new Date((exp + CLOCK_TOLERANCE_SECONDS) * 1_000),
  }));

export function accessTokens(keys: KeyringSource, lifetimeSeconds: number): AccessTokens {
  return {
    lifetimeSeconds,
    issue: (userId, sessionId) =>
      signed(keys.value, { typ: 'access', sid: sessionId }, { sub: userId, aud: AUDIENCE, seconds: lifetimeSeconds }),
    verify: async token => claims.safeParse(await payloadOf(token, keys, AUDIENCE, MAX_AGE_SECONDS)).data,
  };
}

/** How long a token for a new password is good. Seconds */
export const RESET_LIFETIME_SECONDS = 10 * 60;

const RESET_AUDIENCE = 'devshelf-reset';

export type ResetClaims = { readonly userId: string; readonly state: string };

/** Tokens for whoever reads a user's mail. `state` is compared by who issued them. */
export type ResetTokens = {
  issue(userId: string, state: string): Promise<string>;
  /** Undefined when the token is not ours, too old or of another kind. */
  verify(token: string): Promise<ResetClaims | undefined>;
};

const resetClaims = z
  .object({ typ: z.literal('reset'), sub: z.guid(), state: z.string().min(1) })
  .transform(({ sub, state }) => ({ userId: sub, state }));

export const resetTokens = (keys: KeyringSource): ResetTokens => ({
  issue: (userId, state) =>
    signed(keys.value, { typ: 'reset', state }, { sub: userId, aud: RESET_AUDIENCE, seconds: RESET_LIFETIME_SECONDS }),
  verify: async token =>
    resetClaims.safeParse(await payloadOf(token, keys, RESET_AUDIENCE, RESET_LIFETIME_SECONDS)).data,
});

type Whose = { readonly sub: string; readonly aud: string; readonly seconds: number };

/** With the keyring's current key, whose id is in the header. */
function signed(keyring: Keyring, claims: Record<string, string>, { sub, aud, seconds }: Whose): Promise<string> {
  const kid = keyring.current;
  const key = keyOf(keyring, kid);
  if (key === undefined) throw new Error('the keyring has no current key');
  return new SignJWT(claims)
    .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'JWT' })
    .setIssuer(ISSUER)
    .setAudience(aud)
    .setSubject(sub)
    .setJti(randomUUID())
    .setIssuedAt()
    .setExpirationTime(`${seconds} s`)
    .sign(key);
}

async function payloadOf(token: string, keys: KeyringSource, audience: string, maxTokenAge: number): Promise<unknown> {
  const keyOfHeader = ({ kid }: { kid?: string }) => {
    const key = kid === undefined ? undefined : keyOf(keys.value, kid);
    if (key === undefined) throw new Error('unknown key id');
    return key;
  };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, keyOfHeader, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience,
      requiredClaims: ['exp', 'iat'],
      maxTokenAge,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    countUse(keys, protectedHeader.kid ?? '');
    return payload;
  } catch {
    return undefined;
  }
}

/** Made once for each keyring: importing a key costs more than using it. */
const keyObjects = new WeakMap<Keyring, Map<string, KeyObject>>();

function keyOf(keyring: Keyring, kid: string): KeyObject | undefined {
  let byId = keyObjects.get(keyring);
  if (byId === undefined) {
    byId = new Map(Object.entries(keyring.keys).map(([id, key]) => [id, createSecretKey(key, 'utf8')]));
    keyObjects.set(keyring, byId);
  }
  return byId.get(kid);
}
