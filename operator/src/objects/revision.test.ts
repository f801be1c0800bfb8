import { expect, test } from '@jest/globals';
import { releaseOf } from './release.ts';
import { parseRevision, revision } from './revision.ts';
import { dashboard, dashboardMeta, devshelf, release } from './testing.ts';

test('the whole ControllerRevision', () => {
  expect(revision(dashboard(), release('aaa'), 4, { verdict: '{}' })).toStrictEqual({
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      ...dashboardMeta('dashboard-aaa', { 'devshelf.dev/release': 'aaa' }),
      annotations: { 'devshelf.dev/verdict': '{}' },
    },
    revision: 4,
    data: { release: release('aaa') },
  });
});

test('what was written is read back, through JSON, worker and notes included', () => {
  const wanted = releaseOf(devshelf(), { 'Secret/devshelf-db': 'x' }, 'db');
  const notes = { verdict: '{"verdict":"rejected"}', retryToken: '2' };
  const stored = JSON.parse(JSON.stringify(revision(devshelf(), wanted, 7, notes)));
  expect(parseRevision(stored)).toStrictEqual({ name: `devshelf-${wanted.hash}`, number: 7, release: wanted, notes });
});

const object = revision(dashboard(), release('aaa'), 1);
test.each([
  ['no data', { ...object, data: undefined }],
  ['somebody else’s data', { ...object, data: { spec: {} } }],
  ['a release without a template', { ...object, data: { release: { hash: 'aaa', image: 'x' } } }],
  ['no number', { ...object, revision: undefined }],
])('not ours: %s', (_case, foreign) => {
  expect(parseRevision(foreign)).toBeUndefined();
});
