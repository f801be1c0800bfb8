import crypto from 'node:crypto';
import { afterEach, expect, jest, test } from '@jest/globals';
import { sha256 } from './sha256.ts';

const { hash } = crypto;

afterEach(() => {
  jest.restoreAllMocks();
  Object.assign(crypto, { hash });
});

test.each(['hex', 'base64url'] as const)(
  'a Node without the one call (before 20.12) gives the same, as %s',
  encoding => {
    const made = jest.spyOn(crypto, 'createHash');
    const known = sha256('naïve', encoding);
    expect(made).not.toHaveBeenCalled();
    Object.assign(crypto, { hash: undefined });
    expect(sha256('naïve', encoding)).toBe(known);
    expect(made).toHaveBeenCalledTimes(1);
  },
);
