import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hideSecrets, scrub, shownMigration } from './words.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
console.log(`api/words properties: SEED=${seed}`);
fc.configureGlobal({ seed });

test.each([
  ['postgresql://shop:hunter2@db:5432/shop', 'postgresql://…@db:5432/shop'],
  ['"postgres://u:p@ss/w#rd@db/x": no', '"postgres://…@db/x": no'],
  ['redis://:hunter2@redis:6379', 'redis://…@redis:6379'],
  [
    'postgresql://db/shop?user=a&password=hunter2&sslmode=require',
    'postgresql://db/shop?user=a&password=…&sslmode=require',
  ],
  ['host=db password=hunter2 user=a', 'host=db password=… user=a'],
  ['{"password":"hunter2 and more"}', '{"password":…}'],
  ['API_KEY: hunter2', 'API_KEY: …'],
  ['authorization: Bearer abc.def', 'authorization: Bearer …'],
  ['key dsk_live_0123 refused', 'key … refused'],
  ['got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln', 'got …'],
  ['3q2+7wAAAAB3q2+7wAAAAB3q2+7wAAA=', '…'],
  ['0123456789abcdef0123456789abcdef', '…'],
  ['two\n lines', 'two lines'],
])('%s', (text, said) => {
  expect(scrub(text)).toBe(said);
});

test.each([
  'Failed to pull image "registry.example:5000/team/dashboard-service:1.4.0": 401 Unauthorized',
  'exec: "/usr/local/bin/node": no such file or directory: CreateContainerConfigError',
  `x@sha256:${'0123456789abcdef'.repeat(4)}`,
  'pods "shop-dashboard-candidate-6c8d5f7b9-x2x4z" is forbidden: exceeded quota: compute-resources-of-the-team',
  'PATCH /apis/apps/v1/namespaces/shop/deployments/dashboard-candidate: 422 HorizontalPodAutoscalers',
  'couldn’t find key DATABASE_URL_OF_THE_READ_REPLICA in Secret shop/dashboard-db',
  '3f1c0b52-8f0e-4f2e-9a55-0b6e3f9a7c11',
])('stays: %s', text => {
  expect(scrub(text)).toBe(text);
});

test.each([
  '20261128120000_drop_titulo',
  '0_init',
  '20261128120000_remove_the_unused_foreign_key_from_orders_to_customers_and_rebuild_its_index',
  '20261128120000_denormalizeresourceassignments_v2',
  '20261128120000_AddUsersTable.second-try',
])('a migration’s name is shown: %s', name => {
  expect(shownMigration(name)).toBe(name);
});

test.each([
  'hunter2',
  'init',
  '20261128120000_añade',
  '20261128120000 a b',
  'postgresql://shop:hunter2@db/shop',
  '20261128120000_dsk_live_0123',
  '20261128120000_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln',
  '1_3q2B7wAAAAB3q2Z7wAAAAB3q2E7wAAA',
])('a name that may be a secret, or is none, is told by its hash: %s', name => {
  expect(shownMigration(name)).toMatch(/^\(a name that is not shown: [0-9a-f]{10}\)$/);
});

const word = fc.constantFrom(
  'Failed to pull image',
  'exec:',
  'admission webhook denied the request:',
  '"',
  ' ',
  '\n',
  ': ',
);
const urlSafe = fc.string({ unit: fc.constantFrom(...'abcXYZ019:/?#@%!$&()*+,;=._~-'), minLength: 3, maxLength: 40 });
const bytes = fc.uint8Array({ minLength: 32, maxLength: 96 }).filter(array => new Set(array).size > 16);
const secret = fc.oneof(
  fc
    .tuple(fc.constantFrom('postgresql', 'postgres', 'redis', 'rediss', 'https'), urlSafe)
    .map(([scheme, password]) => ({
      text: `${scheme}://shop:${password}@db.shop.svc:5432/shop`,
      hidden: `:${password}@`,
    })),
  bytes.map(array => Buffer.from(array).toString('base64')).map(text => ({ text, hidden: text })),
  bytes.map(array => Buffer.from(array).toString('base64url')).map(text => ({ text, hidden: text })),
  bytes.map(array => Buffer.from(array).toString('hex')).map(text => ({ text, hidden: text })),
  bytes
    .map(array => `dsk_${Buffer.from(array).toString('base64url')}`)
    .map(text => ({ text, hidden: text.slice(4, 20) })),
  bytes
    .map(array => Buffer.from(array).toString('base64url'))
    .map(sig => ({ text: `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${sig}.${sig}`, hidden: sig })),
  fc
    .stringMatching(/^[!-~]{1,60}$/)
    .filter(text => !/["',;]/.test(text))
    .map(text => ({
      text: `Authorization: Bearer ${text}`,
      hidden: `Bearer ${text}`,
    })),
);

test('no secret passes, whatever stands around it; asking twice changes nothing', () => {
  fc.assert(
    fc.property(fc.array(word), secret, fc.array(word), (before, { text, hidden }, after) => {
      const said = scrub(`${before.join('')} ${text} ${after.join('')}`);
      expect(said).not.toContain(hidden);
      expect(said.length).toBeLessThanOrEqual(600);
      expect(scrub(said)).toBe(said);
    }),
    { numRuns: 2_000 },
  );
});

test('any text, and a hostile one, is done with at once', () => {
  const began = performance.now();
  for (const part of ['a://', 'a_', 'aA', 'a', 'password=', '"', '@', 'eyJa.', 'bearer ', 'sha256:'])
    hideSecrets(part.repeat(20_000 / part.length));
  // 20 KB are five times what a status may hold; tens of milliseconds are seen on a busy machine
  expect(performance.now() - began).toBeLessThan(2_000);
});
