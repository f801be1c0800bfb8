import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

// of a flag that it does not know V8 only says so, and goes on without it
test('this V8 knows every flag', () => {
  const ran = spawnSync(process.execPath, [join(import.meta.dirname, 'little-code.ts')], { encoding: 'utf8' });
  expect({ status: ran.status, said: ran.stderr }).toEqual({ status: 0, said: '' });
});
