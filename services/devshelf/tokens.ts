import { randomUUID } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { Keyring, KeyringSource } from '../common/keyring.ts';

const ISSUER = 'devshelf';
const AUDIENCE = 'devshelf-api';

const bytes = (key: string) => new TextEncoder().encode(key);

export type AccessTokens = {
  readonly lifetimeSeconds: number;
  /** Signed with the keyring's current key, whose id is in the header. */
  issue(userId: string): Promise<string>;
  /** The user's id, or undefined when the token is not ours, not valid any more or not an access token. */
  verify(token: string): Promise<string | undefined>;
};

export function accessTokens(keys: KeyringSource, lifetimeSeconds: number): AccessTokens {
  return {
    lifetimeSeconds,
    issue: userId => {
      const { current, keys: byId } = keys.value;
      return new SignJWT({ typ: 'access' })
        .setProtectedHeader({ alg: 'HS256', kid: current, typ: 'JWT' })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setSubject(userId)
        .setJti(randomUUID())
        .setIssuedAt()
        .setExpirationTime(`${lifetimeSeconds} s`)
        .sign(bytes(byId[current] ?? ''));
    },
    verify: token => subjectOf(token, keys.value),
  };
}

async function subjectOf(token: string, { keys }: Keyring): Promise<string | undefined> {
  const keyOf = ({ kid }: { kid?: string }) => {
    const key = kid === undefined || !Object.hasOwn(keys, kid) ? undefined : keys[kid];
    if (key === undefined) throw new Error('unknown key id');
    return bytes(key);
  };
  try {
    const { payload } = await jwtVerify(token, keyOf, { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE });
    return payload['typ'] === 'access' ? payload.sub : undefined;
  } catch {
    return undefined;
  }
}
