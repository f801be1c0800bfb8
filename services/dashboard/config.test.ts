import { expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../common/config.ts';
import { dashboardConfig } from './config.ts';

const DATABASE_URL = 'postgresql://u@h/d';
const KEY = 'dsk_k1_only-for-these-tests';
const read = (environment: Record<string, string>) => readConfig(dashboardConfig, { DATABASE_URL, ...environment });

function faultsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(dashboardConfig, environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test('what is not said is as it always was', () => {
  expect(read({})).toMatchObject({
    PORT: 8080,
    DASHBOARD_ALLOWED_HOSTS: ['*'],
    DASHBOARD_FORCE_HTTPS: false,
    DASHBOARD_ENABLE_HSTS: false,
    DASHBOARD_CORS_ORIGINS: [],
    DASHBOARD_RATELIMIT_ENABLED: true,
    DASHBOARD_RATELIMIT_WINDOW: 60,
    DASHBOARD_RATELIMIT_MAX: 120,
    DASHBOARD_CACHE_SECONDS: 30,
    DASHBOARD_LOG_LEVEL: 'info',
    DASHBOARD_LOG_ROTATE_WHEN: { every: 'midnight' },
    DASHBOARD_LOG_BACKUP_COUNT: 7,
    TRUST_PROXY: false,
  });
});

test('words of today', () => {
  const config = read({
    DASHBOARD_ALLOWED_HOSTS: 'localhost, 127.0.0.1,*.example.com',
    DASHBOARD_FORCE_HTTPS: 'True',
    DASHBOARD_LOG_LEVEL: 'WARNING',
    DASHBOARD_LOG_ROTATE_WHEN: 'w0',
    DASHBOARD_CORS_ORIGINS: 'https://A.example,http://localhost:3000',
    TRUST_PROXY: '10.0.0.0/8',
  });
  expect(config).toMatchObject({
    DASHBOARD_ALLOWED_HOSTS: ['localhost', '127.0.0.1', '*.example.com'],
    DASHBOARD_FORCE_HTTPS: true,
    DASHBOARD_LOG_LEVEL: 'warn',
    DASHBOARD_LOG_ROTATE_WHEN: { every: 'week', weekday: 0 },
    DASHBOARD_CORS_ORIGINS: ['https://a.example', 'http://localhost:3000'],
  });
});

test('all faults are said at once, and no value of a key', () => {
  const faults = faultsOf({
    NODE_ENV: 'production',
    DASHBOARD_UI_API_KEY: 'geheim-and-long-enough-\u00e4',
    DASHBOARD_ALLOWED_HOSTS: 'http://shop.example',
    DASHBOARD_FORCE_HTTPS: 'perhaps',
    DASHBOARD_CORS_ORIGINS: 'shop.example',
    DASHBOARD_RATELIMIT_WINDOW: '0',
    DASHBOARD_RATELIMIT_MAX: 'many',
    DASHBOARD_LOG_ROTATE_WHEN: 'W7',
    DASHBOARD_LOG_BACKUP_COUNT: '-1',
    TRUST_PROXY: 'everybody',
  });
  const names = faults.map(fault => fault.split(':')[0]);
  expect(names.sort()).toEqual(
    [
      'API_KEYRING_DIR',
      'DASHBOARD_ALLOWED_HOSTS',
      'DASHBOARD_CORS_ORIGINS',
      'DASHBOARD_FORCE_HTTPS',
      'DASHBOARD_LOG_BACKUP_COUNT',
      'DASHBOARD_LOG_ROTATE_WHEN',
      'DASHBOARD_RATELIMIT_MAX',
      'DASHBOARD_RATELIMIT_WINDOW',
      'DASHBOARD_UI_API_KEY',
      'DATABASE_URL',
      'TRUST_PROXY',
    ].sort(),
  );
  expect(faults.join()).not.toContain('geheim');
});

test('production refuses to start without a key', () => {
  const production = { NODE_ENV: 'production', DATABASE_URL };
  expect(faultsOf(production)).toEqual(['API_KEYRING_DIR: production needs API_KEYRING_DIR or DASHBOARD_API_KEY']);
  expect(faultsOf({ ...production, DASHBOARD_UI_API_KEY: KEY })).toHaveLength(1);
  expect(faultsOf({ ...production, DASHBOARD_API_KEY: KEY })).toEqual([]);
  expect(faultsOf({ ...production, API_KEYRING_DIR: '/keys' })).toEqual([]);
});

test.each([
  ['1', 'must have at least 16 characters'],
  ['fifteen-letters', 'must have at least 16 characters'],
  ['a'.repeat(48), 'must have at least 6 different characters'],
  ['please-change-me-soon', 'is an example: choose one of your own'],
])('production refuses the key %s, which anybody can guess', (key, why) => {
  const production = { NODE_ENV: 'production', DATABASE_URL };
  expect(faultsOf({ ...production, DASHBOARD_API_KEY: key })).toEqual([`DASHBOARD_API_KEY: ${why}`]);
  const ui = { DASHBOARD_API_KEY: KEY, DASHBOARD_UI_API_KEY: key };
  expect(faultsOf({ ...production, ...ui })).toEqual([`DASHBOARD_UI_API_KEY: ${why}`]);
  expect(faultsOf({ DATABASE_URL, DASHBOARD_API_KEY: key })).toEqual([]);
});

test('HTTPS cannot be forced where nobody can say that it was used', () => {
  const faults = faultsOf({ DATABASE_URL, DASHBOARD_FORCE_HTTPS: 'true' });
  expect(faults).toEqual([expect.stringMatching(/^DASHBOARD_FORCE_HTTPS: needs TRUST_PROXY: /)]);
  expect(faultsOf({ DATABASE_URL, DASHBOARD_FORCE_HTTPS: 'true', TRUST_PROXY: '10.0.0.0/8' })).toEqual([]);
});

test.each(['https://*.example', 'https://shop.example/', 'https://shop.example:443', 'https://u@shop.example', 'null'])(
  'no browser says the origin %s, so it is refused',
  origin => {
    expect(faultsOf({ DATABASE_URL, DASHBOARD_CORS_ORIGINS: origin })).toHaveLength(1);
  },
);

test('the key of the user interface is another one', () => {
  expect(faultsOf({ DATABASE_URL, DASHBOARD_API_KEY: 'same', DASHBOARD_UI_API_KEY: 'same' })).toEqual([
    'DASHBOARD_UI_API_KEY: must not be DASHBOARD_API_KEY: it opens less',
  ]);
});
