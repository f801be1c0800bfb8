import { expect, test } from '@jest/globals';
import { ConfigError, readConfig } from '../common/config.ts';
import { dashboardConfig } from './config.ts';

const DATABASE_URL = 'postgresql://u@h/d';
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
    DASHBOARD_CORS_ORIGINS: 'https://a.example,http://localhost:3000',
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
    DASHBOARD_UI_API_KEY: 'geheim\u00e4',
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
  expect(faultsOf({ ...production, DASHBOARD_UI_API_KEY: 'u' })).toHaveLength(1);
  expect(faultsOf({ ...production, DASHBOARD_API_KEY: 'k' })).toEqual([]);
  expect(faultsOf({ ...production, API_KEYRING_DIR: '/keys' })).toEqual([]);
});

test('the key of the user interface is another one', () => {
  expect(faultsOf({ DATABASE_URL, DASHBOARD_API_KEY: 'same', DASHBOARD_UI_API_KEY: 'same' })).toEqual([
    'DASHBOARD_UI_API_KEY: must not be DASHBOARD_API_KEY: it opens less',
  ]);
});
