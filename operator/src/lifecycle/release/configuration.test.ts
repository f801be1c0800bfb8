import { expect, test } from '@jest/globals';
import { decide } from '../plan.ts';
import type { Snapshot } from '../snapshot.ts';
import { held, release, revision, snapshot, wanted } from '../testing.ts';
import { configuration, configurationTidying } from './configuration.ts';

const copied = (hash: string, ...names: string[]) =>
  revision(hash, 'released', {
    release: { ...release(hash), configMaps: names.map(name => ({ source: 'words', name, content: name })) },
  });
const again = revision('v1', 'released', {
  release: {
    ...release('v1'),
    template: { metadata: { labels: {} }, spec: { envFrom: [{ configMapRef: { name: 'one' } }] } },
  },
});
const releases = { revisions: [copied('v1', 'one'), copied('v2', 'two')] };

test.each<[string, Snapshot, string | undefined]>([
  ['all are there', snapshot({ ...releases, configMaps: ['one', 'two'] }), undefined],
  ['the one of what serves is gone', snapshot({ ...releases, configMaps: ['two'], wanted: wanted('v1') }), 'v1'],
  ['its source holds something else by now, which is tried', snapshot({ ...releases, configMaps: ['two'] }), undefined],
  ['the one of a release that is only remembered is gone', snapshot({ ...releases, configMaps: ['one'] }), undefined],
  ['the one of the candidate is gone', held({ ...releases, configMaps: ['one'] }), 'v2'],
  ['the one that a rollback would need is gone', held({ ...releases, configMaps: ['two'] }), 'v1'],
  ['no release has any', snapshot(), undefined],
])('%s', (_sentence, seen, hash) => {
  const decision = configuration(seen);
  const action = decision?.kind === 'act' ? decision.action : undefined;
  expect(action?.do === 'copyConfigMaps' ? action.release.hash : undefined).toBe(hash);
});

test.each<[string, Snapshot, string | undefined]>([
  ['every one is referred to', snapshot({ ...releases, configMaps: ['one', 'two'] }), undefined],
  ['one is not', snapshot({ ...releases, configMaps: ['one', 'old', 'two'] }), 'old'],
  [
    'a release that was written down again names it in its template',
    snapshot({ revisions: [again], configMaps: ['one'] }),
    undefined,
  ],
  ['not while something is under way', held({ ...releases, configMaps: ['one', 'old', 'two'] }), undefined],
  [
    'its release is about to be written down',
    snapshot({ ...releases, configMaps: ['new'], wanted: wanted('v3') }),
    undefined,
  ],
])('tidied up: %s', (_sentence, seen, name) => {
  const decision = configurationTidying(seen);
  const action = decision?.kind === 'act' ? decision.action : undefined;
  expect(action?.do === 'deleteConfigMap' ? action.name : undefined).toBe(name);
});

test('a bad candidate is taken back before anything is put right', () => {
  const judgement = {
    verdict: 'Bad',
    release: 'v2',
    candidate: { requests: 9, errors: 9 },
    baseline: { requests: 9, errors: 0 },
    message: '',
  } as const;
  expect(decide(held({ ...releases, configMaps: [], judgement })).action?.do).toBe('setRecord');
});
