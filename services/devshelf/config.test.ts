import { expect, test } from '@jest/globals';
import { readConfig } from '../common/config.ts';
import { apiConfig } from './config.ts';

const given = { DATABASE_URL: 'postgresql://x/y', NODE_ENV: 'production', SECRET_KEY: 'x'.repeat(32) };

test.each([
  ['no database', { DATABASE_URL: '' }, 'DATABASE_URL'],
  ['no signing key', { SECRET_KEY: '' }, 'SIGNING_KEYRING_DIR'],
  ['the published example as key', { SECRET_KEY: 'change-me-to-a-secure-random-value' }, 'SECRET_KEY'],
  ['a short key', { SECRET_KEY: 'x'.repeat(31) }, 'SECRET_KEY'],
  ['tokens that live too long', { ACCESS_TOKEN_EXPIRE_MINUTES: '16' }, 'ACCESS_TOKEN_EXPIRE_MINUTES'],
  ['an unknown level', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
])('production refuses %s', (_case, change, variable) => {
  expect(() => readConfig(apiConfig, { ...given, ...change })).toThrow(`- ${variable}: `);
});

test('production starts with a keyring instead of a key, and understands Python’s levels', () => {
  const { SECRET_KEY: _, ...rest } = given;
  const config = readConfig(apiConfig, { ...rest, SIGNING_KEYRING_DIR: '/keys', LOG_LEVEL: 'WARNING' });
  expect(config.LOG_LEVEL).toBe('warn');
});
