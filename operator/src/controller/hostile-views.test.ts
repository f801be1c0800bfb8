// Whoever may annotate an object that is watched chooses the text. What a projection throws ends the process, and the
// next one as well: none throws, whatever is said.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { KubeObject } from '../kube/resource.ts';
import { nearly, nearlyText, WRITTEN } from '../lifecycle/testing-notes.ts';
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

const BY_ANNOTATION: Readonly<Record<string, unknown>> = {
  [ANNOTATIONS.rollout]: WRITTEN.rollout,
  [ANNOTATIONS.rotation]: WRITTEN.rotation,
  [ANNOTATIONS.putBack]: WRITTEN.putBack,
  [ANNOTATIONS.digests]: { a: 'x' },
  [ANNOTATIONS.refused]: [WRITTEN.refusal],
};

const annotated = fc.record(
  Object.fromEntries(
    Object.values(ANNOTATIONS).map(name => [name, fc.oneof(nearlyText(BY_ANNOTATION[name] ?? {}, 7), fc.string())]),
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
  const record = { phase: 'Candidate', release: 'x', version: { toString: 1 } };
  const kept = views.keepDeployment(objectWith({ [ANNOTATIONS.rollout]: JSON.stringify(record) }, {}) as never);
  expect(kept.record).toBe('later');
});

test('a revision’s data, a record of an incident above all, is read whatever it says', () => {
  const labels = { [LABELS.record]: 'incident' };
  fc.assert(
    fc.property(nearly({ incident: WRITTEN.incident }, 7), data => {
      views.keepRevision({ ...objectWith({}, { data }), metadata: { name: 'r', labels } } as never);
    }),
    { numRuns: 5_000 },
  );
});
