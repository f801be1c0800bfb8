import { expect, test } from '@jest/globals';
import * as z from 'zod';
import { ConfigError, databaseConfig, port, readConfig } from './config.ts';

const schema = z.object({ ...databaseConfig, PORT: port(8000) });

test('defaults hold, and an empty variable counts as absent', () => {
  const config = readConfig(schema, { DATABASE_URL: 'postgres://x/y', PORT: '', DB_POOL_MAX: '7' });
  expect(config).toMatchObject({ PORT: 8000, DB_POOL_MAX: 7, DB_POOL_TIMEOUT_MS: 900 });
});

test('all faults are listed at once, by name and without their values', () => {
  const environment = { DATABASE_URL: 'mysql://root:s3cret@x', PORT: 's3cret', DB_POOL_MAX: '0' };
  let refused: unknown;
  try {
    readConfig(schema, environment);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(ConfigError);
  const { message, faults } = refused as ConfigError;
  expect(faults).toEqual([
    'DATABASE_URL: must begin with postgresql://',
    'DB_POOL_MAX: must be a number of connections, 1 to 100',
    'PORT: must be a port number',
  ]);
  expect(message).not.toContain('s3cret');
});
