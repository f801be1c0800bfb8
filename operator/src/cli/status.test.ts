import { describe, expect, test } from '@jest/globals';
import type { Terminal } from './draw/lines.ts';
import { drawStatus as draw, drawLine } from './draw/status.ts';
import { type SeenResource, type StatusModel, statusView, worstFirst } from './views/status.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const drawStatus = (model: StatusModel, terminal: Terminal) => draw(model, terminal, NOW);
const condition = (type: string, status: string, reason = 'Some', message = 'words') => ({
  type,
  status,
  reason,
  message,
});
const trial: SeenResource = {
  kind: 'DashboardDeployment',
  metadata: { name: 'dashboard', namespace: 'demo', generation: 2 },
  status: {
    observedGeneration: 2,
    phase: 'Candidate',
    replicas: 3,
    readyReplicas: 3,
    currentImage: 'registry.example/mini-market/dashboard:1.1.0',
    rollout: { candidate: { hash: '20c4682131', image: 'registry.example/mini-market/dashboard:1.3.1' } },
    analysis: { verdict: 'Bad', candidate: { requests: 86, errors: 4 }, baseline: { requests: 250, errors: 1 } },
    conditions: [
      condition('Ready', 'True'),
      condition('Reconciling', 'True', 'Analysing', 'waits for at least 10 s and 50 requests of the candidate'),
    ],
  },
};
const having = (
  conditions: NonNullable<SeenResource['status']>['conditions'],
  observedGeneration = 2,
): SeenResource => ({
  ...trial,
  status: { ...trial.status, conditions: conditions ?? [], observedGeneration },
});

test.each([
  ['a trial runs', trial, 'under way'],
  ['it serves and nothing is under way', having([condition('Ready', 'True')]), 'ready'],
  [
    'a person is needed, though it serves',
    having([condition('Ready', 'True'), condition('Stalled', 'True')]),
    'stalled',
  ],
  ['others left Stalled=False', having([condition('Ready', 'True'), condition('Stalled', 'False')]), 'ready'],
  ['no pod serves', having([condition('Ready', 'False')]), 'not ready'],
  ['the status speaks of an earlier spec', having([condition('Ready', 'True')], 1), 'under way'],
  ['no condition yet', having([]), 'unknown'],
  ['no status at all', { kind: trial.kind, metadata: trial.metadata }, 'unknown'],
])('%s', (_case, seen, state) => {
  expect(statusView(seen as SeenResource).state).toBe(state);
});

test('the worst is first', () => {
  const models = [
    having([condition('Ready', 'True')]),
    having([]),
    having([condition('Ready', 'True'), condition('Stalled', 'True')]),
  ];
  expect(worstFirst(models.map(statusView)).map(({ state }) => state)).toEqual(['stalled', 'unknown', 'ready']);
});

test.each([
  ['its own words', { name: 'Migration', waitsFor: 'the Job' }, undefined, 'stage Migration, waits for the Job'],
  [
    'what the open verdict waits for',
    { name: 'Analysis', waitsFor: 'the verdict', deadline: '2026-01-01T00:10:00Z' },
    { verdict: 'Pending', waitsFor: 'more requests' },
    'stage Analysis, waits for more requests, at most 10 min 0 s more',
  ],
  [
    'nothing of a verdict that was made',
    { name: 'Baking' },
    { verdict: 'Good', waitsFor: 'more requests', decidesBy: '2026-01-01T00:10:00Z' },
    'stage Baking',
  ],
])('the stage says %s', (_case, stage, analysis, line) => {
  const seen = { kind: trial.kind, metadata: trial.metadata, status: { stage, ...(analysis && { analysis }) } };
  expect(drawStatus(statusView(seen), { width: 120, colour: false, unicode: true })).toContain(line);
});

test('what is absent is shown as absent', () => {
  const lines = drawStatus(statusView({ kind: 'DashboardDeployment', metadata: { name: 'dashboard' } }), {
    width: 80,
    colour: false,
    unicode: true,
  });
  expect(lines).toEqual(['? DashboardDeployment/dashboard    ? (unknown)', 'serves ?', 'pods   ?']);
});

describe.each([60, 80, 120])('at %i columns', width => {
  test.each([true, false])('no line is wider, in unicode: %s', unicode => {
    const terminal = { width, colour: false, unicode };
    const long = { ...statusView(trial), name: 'x'.repeat(200), serves: 'y'.repeat(200) };
    const lines = [...drawStatus(statusView(trial), terminal), ...drawStatus(long, terminal), drawLine(long, terminal)];
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width);
    expect(drawStatus(statusView(trial), terminal)).toContain('candidate  86 requests, 4 5xx, 4.7 %');
  });

  test('colour changes nothing but the colour', () => {
    const [plain, coloured] = [false, true].map(colour =>
      drawStatus(statusView(trial), { width, colour, unicode: true }).join('\n'),
    );
    expect(coloured).not.toBe(plain);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
    expect(coloured?.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain);
  });
});
