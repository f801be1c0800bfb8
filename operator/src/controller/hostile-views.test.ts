// Whoever may annotate an object that is watched chooses the text. What a projection throws ends the process, and the
// next one as well: none throws, whatever is said.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { INCIDENT_SCHEMA } from '../api/incident.ts';
import type { KubeObject } from '../kube/resource.ts';
import { ANNOTATIONS, LABELS } from '../objects/names.ts';
import * as views from './views.ts';
import { keepApp } from './world.ts';

const PROJECTIONS = {
  keepApp,
  keepAutoscaler: views.keepAutoscaler,
  keepChild: views.keepChild,
  keepDeployment: views.keepDeployment,
  keepIngress: views.keepIngress,
  keepJob: views.keepJob,
  keepListenerSet: views.keepListenerSet,
  keepMonitor: views.keepMonitor,
  keepPod: views.keepPod,
  keepRevision: views.keepRevision,
  keepRoute: views.keepRoute,
  keepScaledObject: views.keepScaledObject,
  keepSecret: views.keepSecret,
} as unknown as Readonly<Record<string, (object: KubeObject) => unknown>>;

/** What becomes neither a number nor a text. */
const NEITHER = { toString: 1, valueOf: 1 };
const SINCE = '2026-03-01T12:00:00Z';
/** As the operator writes them, so that what is wrong in one place of them is met there. */
const WRITTEN: Readonly<Record<string, object>> = {
  [ANNOTATIONS.rollout]: { phase: 'Candidate', release: 'x', stable: 'y', since: SINCE, version: 1, asked: {} },
  [ANNOTATIONS.rotation]: { state: 'Draining', current: 'a', from: 'a', to: 'b', since: SINCE },
  [ANNOTATIONS.putBack]: { count: 1, at: SINCE, by: 'x', keyId: 'a' },
  [ANNOTATIONS.digests]: { a: 'x' },
  [ANNOTATIONS.refused]: [{ hash: 'x', reason: 'x', attempt: 1, token: 'x' }],
};
const INCIDENT_DATA = {
  ...{ schema: INCIDENT_SCHEMA, at: SINCE, reason: 'x', phase: 'Candidate', kind: 'Rotation' },
  failed: { hash: 'x', attempt: 1, image: 'x' },
  restored: { hash: 'y', image: 'x' },
  cause: { message: 'x' },
  rotation: { key: 'x', from: 'a', to: 'b' },
  figures: {},
};
const word = fc.constantFrom<unknown>(
  ...['Settled', 'x', '', SINCE, 0, -1, 1e308, null, true, NEITHER, [NEITHER], { x: NEITHER }, []],
);

/** One that was written, with something else in some of its places, if it is one still. */
function nearly(written: unknown): fc.Arbitrary<unknown> {
  const as = (value: unknown): fc.Arbitrary<unknown> => {
    if (Array.isArray(value)) return fc.tuple(...value.map(nearly));
    if (typeof value !== 'object' || value === null) return fc.constant(value);
    return fc.record(Object.fromEntries(Object.entries(value).map(([name, one]) => [name, nearly(one)])));
  };
  return fc.oneof({ weight: 7, arbitrary: as(written) }, { weight: 1, arbitrary: word });
}

const annotated = fc.record(
  Object.fromEntries(
    Object.values(ANNOTATIONS).map(name => [
      name,
      fc.oneof(
        nearly(WRITTEN[name] ?? {}).map(value => JSON.stringify(value)),
        fc.string(),
      ),
    ]),
  ),
  { requiredKeys: [] },
);

const objectWith = (annotations: Record<string, string>, more: object): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name: 'shop', namespace: 'prod', uid: 'u', resourceVersion: '7', annotations, labels: {} },
    ...more,
  }) as KubeObject;

test.each(Object.keys(PROJECTIONS))('%s reads whatever somebody has written into annotations', name => {
  fc.assert(
    fc.property(annotated, annotations => {
      PROJECTIONS[name]?.(objectWith(annotations as Record<string, string>, {}));
    }),
    { numRuns: 3_000 },
  );
});

test('a record whose version is no number is nothing that this operator understands', () => {
  const record = { phase: 'Candidate', release: 'x', version: NEITHER };
  const kept = views.keepDeployment(objectWith({ [ANNOTATIONS.rollout]: JSON.stringify(record) }, {}) as never);
  expect(kept.record).toBe('later');
});

test('a revision’s data, a record of an incident above all, is read whatever it says', () => {
  const labels = { [LABELS.record]: 'incident' };
  fc.assert(
    fc.property(nearly({ incident: INCIDENT_DATA }), data => {
      views.keepRevision({ ...objectWith({}, { data }), metadata: { name: 'r', labels } } as never);
    }),
    { numRuns: 5_000 },
  );
});
