import { createSecretKey, type KeyObject, randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import * as z from 'zod';
import type { Keyring, KeyringSource } from '../common/keyring.ts';

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
    issue: (userId, sessionId) => {
      const kid = keys.value.current;
      const key = keyOf(keys.value, kid);
      if (key === undefined) throw new Error('the keyring has no current key');
      return new SignJWT({ typ: 'access', sid: sessionId })
        .setProtectedHeader({ alg: ALGORITHM, kid, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime(`${lifetimeSeconds} s`)
        .sign(key);
    },
    verify: token => claimsOf(token, keys.value),
  };
}

async function claimsOf(token: string, keyring: Keyring): Promise<AccessClaims | undefined> {
  const keyOfHeader = ({ kid }: { kid?: string }) => {
    const key = kid === undefined ? undefined : keyOf(keyring, kid);
    if (key === undefined) throw new Error('unknown key id');
    return key;
  };
  try {
    const { payload } = await jwtVerify(token, keyOfHeader, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience: AUDIENCE,
      requiredClaims: ['exp', 'iat'],
      maxTokenAge: MAX_AGE_SECONDS,
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
    });
    return claims.safeParse(payload).data;
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
