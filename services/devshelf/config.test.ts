import { expect, test } from '@jest/globals';
import { readConfig } from '../common/config.ts';
import { apiConfig } from './config.ts';

const given = { DATABASE_URL: 'postgresql://x/y', NODE_ENV: 'production', SECRET_KEY: 'x'.repeat(32) };

test.each([
  ['no database', { DATABASE_URL: '' }, 'DATABASE_URL'],
  ['no signing key', { SECRET_KEY: '' }, 'SECRET_KEY'],
  ['the published example as key', { SECRET_KEY: 'change-me-to-a-secure-random-value' }, 'SECRET_KEY'],
  ['a short key', { SECRET_KEY: 'x'.repeat(31) }, 'SECRET_KEY'],
  ['tokens that live too long', { ACCESS_TOKEN_EXPIRE_MINUTES: '16' }, 'ACCESS_TOKEN_EXPIRE_MINUTES'],
  ['another algorithm', { ALGORITHM: 'RS256' }, 'ALGORITHM'],
  ['no algorithm at all', { ALGORITHM: 'none' }, 'ALGORITHM'],
  ['sessions that never end', { REFRESH_TOKEN_EXPIRE_DAYS: '0' }, 'REFRESH_TOKEN_EXPIRE_DAYS'],
  ['half a switch', { DEBUG: 'maybe' }, 'DEBUG'],
  ['no connections', { DB_POOL_MAX: '0' }, 'DB_POOL_MAX'],
  ['a timeout in words', { DB_POOL_TIMEOUT_MS: 'soon' }, 'DB_POOL_TIMEOUT_MS'],
  ['a limit of nothing', { RATELIMIT_TOKEN_MAX: '0' }, 'RATELIMIT_TOKEN_MAX'],
  ['a window of no length', { RATELIMIT_WINDOW: '0' }, 'RATELIMIT_WINDOW'],
  ['trust in everybody', { TRUST_PROXY: '0.0.0.0/0' }, 'TRUST_PROXY'],
  ['trust in a word', { TRUST_PROXY: 'true' }, 'TRUST_PROXY'],
  ['mail from nobody', { SMTP_URL: 'smtp://mail.example' }, 'MAIL_FROM'],
  ['a mail server of another kind', { SMTP_URL: 'imap://mail.example' }, 'SMTP_URL'],
  ['a sender with a line of its own', { MAIL_FROM: 'a@b.example\nBcc: c@d.example' }, 'MAIL_FROM'],
  ['an unknown level', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
])('production refuses %s', (_case, change, variable) => {
  expect(() => readConfig(apiConfig, { ...given, ...change })).toThrow(`- ${variable}: `);
});

test('production starts with a keyring instead of a key, and understands Python’s levels', () => {
  const { SECRET_KEY: _, ...rest } = given;
  const config = readConfig(apiConfig, { ...rest, SIGNING_KEYRING_DIR: '/keys', LOG_LEVEL: 'WARNING' });
  expect(config.LOG_LEVEL).toBe('warn');
});

test('every fault is listed at once, and no value is shown', () => {
  const environment = { NODE_ENV: 'production', SECRET_KEY: 'too short', ALGORITHM: 'none', TRUST_PROXY: 'x' };
  const refusal = () => readConfig(apiConfig, environment);
  for (const name of ['DATABASE_URL', 'SECRET_KEY', 'ALGORITHM', 'TRUST_PROXY']) expect(refusal).toThrow(`- ${name}: `);
  expect(refusal).not.toThrow('too short');
});

test('what nobody sets is safe', () => {
  expect(readConfig(apiConfig, given)).toMatchObject({
    ALGORITHM: 'HS256',
    DEBUG: false,
    LOG_LEVEL: 'info',
    ACCESS_TOKEN_EXPIRE_MINUTES: 15,
    REFRESH_TOKEN_EXPIRE_DAYS: 14,
    RATELIMIT_ENABLED: true,
    TRUST_PROXY: false,
  });
});

test('DEBUG asks for more in the log; LOG_LEVEL has the last word', () => {
  expect(readConfig(apiConfig, { ...given, DEBUG: 'True' }).LOG_LEVEL).toBe('debug');
  expect(readConfig(apiConfig, { ...given, DEBUG: '1', LOG_LEVEL: 'ERROR' }).LOG_LEVEL).toBe('error');
});

test('a developer may start with the published key', () => {
  const { NODE_ENV: _, ...rest } = given;
  expect(() => readConfig(apiConfig, { ...rest, SECRET_KEY: 'change-me-to-a-secure-random-value' })).not.toThrow();
});
