// Whose word is behind what happens: in the release's own record, in the incident, and in what people are told.
import { expect, test } from '@jest/globals';
import { parseRequester } from '../api/incident.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import type { Decision } from './decision.ts';
import { admission } from './release/admission.ts';
import { adoption } from './release/adoption.ts';
import { candidate } from './release/candidate.ts';
import { refused } from './release/refusal.ts';
import { regression } from './release/regression.ts';
import { migration } from './schema/migration.ts';
import type { Snapshot } from './snapshot.ts';
import { app, at, held, judgement, revision, snapshot, wanted } from './testing.ts';

const EDITED = { by: 'kubectl-edit', at: at(-5) };
const writers = { spec: EDITED };
const REQUESTED = { who: 'spec', generation: 3, ...EDITED } as const;

function actOf(decision: Decision | undefined): Extract<Decision, { kind: 'act' }> {
  if (decision?.kind !== 'act') throw new Error(`it does not act: ${JSON.stringify(decision)}`);
  return decision;
}

/** What is written down of it, and what is said. */
function askedIn(seen: Snapshot): [unknown, string] {
  const { action, condition } = actOf(admission(seen));
  const set = 'set' in action ? action.set : undefined;
  return [parseRequester(set?.[ANNOTATIONS.requestedBy] ?? undefined), condition.message];
}

const v1 = revision('v1', 'released');
test.each<[string, Partial<Snapshot>, unknown, string]>([
  ['somebody', { writers }, REQUESTED, '2 is a new release (asked for by kubectl-edit)'],
  ['nobody who is known', {}, { who: 'spec', generation: 3 }, '2 is a new release'],
  [
    'a Secret that is another one now',
    { writers, revisions: [{ ...v1, requestedBy: REQUESTED }] },
    { who: 'reference', generation: 3, at: at(0) },
    '2 is a new release (a Secret or ConfigMap that the spec names has changed)',
  ],
])('%s asks for a new release', (_who, change, requester, message) => {
  expect(askedIn(snapshot({ revisions: [v1], ...change }))).toEqual([requester, message]);
});

test('who asks for another try is not who asked for the first', () => {
  const first = { who: 'spec', generation: 2, by: 'flux', at: at(-900) } as const;
  const revisions = [v1, revision('v2', 'rejected', { requestedBy: first })];
  const seen = snapshot({ writers, revisions, app: app({ rollout: { retryToken: 'b' } }) });
  expect(askedIn(seen)).toEqual([REQUESTED, '2 is tried again (retryToken b, asked for by kubectl-edit)']);
});

test('a release that is overtaken says by whom', () => {
  const { condition } = admission(held({ writers, wanted: wanted('v3') }));
  expect(condition.message).toBe('overtaken by a newer spec (3, asked for by kubectl-edit)');
});

test('who goes back to a release that has served is told, too', () => {
  const revisions = [
    revision('v1', 'released'),
    revision('v2', 'released', { requestedBy: { ...REQUESTED, by: 'flux' } }),
  ];
  const words = '2, which has served before, meets its first users';
  expect(candidate(snapshot({ writers, revisions })).condition.message).toBe(`${words} (asked for by kubectl-edit)`);
});

test('an incident says who asked for what failed, and not who wrote the spec since', () => {
  const requestedBy = { ...REQUESTED, by: 'flux' };
  const revisions = [v1, revision('v2', 'pending', { requestedBy })];
  const { action } = actOf(regression(held({ writers, revisions, judgement: judgement('Bad') })));
  expect(action).toMatchObject({ do: 'setRecord', record: { withdrawn: { facts: { requestedBy } } } });
  const words = { phase: 'Migration', reason: 'JobFailed', message: 'exit code 1' } as const;
  const early = actOf(refused(snapshot({ writers, revisions }), revisions[1] ?? v1, words));
  expect(early.action).toMatchObject({ do: 'createIncident', record: { requestedBy } });
});

test('who asks for a migration and for an adoption', () => {
  const requests = { [ANNOTATIONS.migrate]: 'argocd', [ANNOTATIONS.adopt]: 'kubectl-annotate' };
  const seen = snapshot({
    app: app({ migrations: { policy: 'Manual' } }, { annotations: { [ANNOTATIONS.migrate]: 'm2' } }),
    writers: { requests },
    orphans: [{ kind: 'Service', name: 'shop', uid: 'u' }],
  });
  const words = 'the schema moves before example/dashboard:2 starts (asked for by argocd)';
  expect(migration(seen).condition.message).toBe(words);
  expect(adoption(seen)?.condition.message).toContain('is taken over (asked for by kubectl-annotate)');
});

test.each([[undefined], ['soon'], ['null'], ['{"who":"me","generation":1}'], ['{"who":"spec"}']])(
  'an annotation that says %s names nobody',
  text => expect(parseRequester(text)).toBeUndefined(),
);
