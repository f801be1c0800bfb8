// What the operator writes down for itself is read again as it was written, and what anybody has made of it is not.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Notes, noteIn, readNote } from '../api/notes.ts';
import { formatRecord, parseRecord, type RolloutRecord } from '../api/rollout.ts';
import { formatRotation, parseRotation } from '../api/rotation.ts';
import { ANNOTATIONS } from '../objects/names.ts';
import { AT, nearly, WRITTEN } from './testing-notes.ts';

const NAMES = Object.keys(WRITTEN) as (keyof Notes)[];

const again = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

describe.each(NAMES)('%s', name => {
  test('with every field that it may have, is read as it was written', () => {
    expect(noteIn(name, again(WRITTEN[name]))).toEqual(WRITTEN[name]);
  });

  test('what is read of it is read again, whatever somebody has made of it', () => {
    let read = 0;
    fc.assert(
      fc.property(nearly(WRITTEN[name]), made => {
        const note = noteIn(name, again(made));
        if (note === undefined) return;
        read += 1;
        expect(noteIn(name, again(note))).toEqual(note);
      }),
      { numRuns: 500 },
    );
    expect(read).toBeGreaterThan(0);
  });
});

/** Each of its places, by name. */
function placesIn(value: unknown, at: readonly string[] = []): readonly (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, one]) => [[...at, name], ...placesIn(one, [...at, name])]);
}

function changed(value: unknown, [name = '', ...rest]: readonly string[], to: unknown): unknown {
  const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
  copy[name] = rest.length === 0 ? to : changed(copy[name], rest, to);
  return copy;
}

/** What nothing is decided on is left out by itself; the inner ones first. */
const BESIDE: Readonly<Partial<Record<keyof Notes, readonly string[]>>> = {
  rollout: [
    ...['withdrawn.facts.requestedBy.by', 'withdrawn.facts.requestedBy.at', 'withdrawn.facts.requestedBy'],
    ...['withdrawn.facts.figures', 'withdrawn.facts', 'withdrawn.evidence'],
    ...['borne', 'trial', 'asked', 'byHand', 'decisions'],
  ],
  verdict: ['evidence'],
  migration: ['more'],
  rehearsal: ['evidence', 'differences'],
  firstMetrics: ['scraped'],
  requestedBy: ['by', 'at'],
  putBack: ['keyId', 'by'],
  incident: ['requestedBy.by', 'requestedBy.at', 'requestedBy', 'figures'],
};

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
const valueAt = (value: unknown, place: readonly string[]): unknown =>
  place.reduce((inner, name) => (inner as Record<string, unknown>)[name], value);

describe.each(NAMES)('%s in which one place holds what does not belong there', name => {
  test.each(placesIn(WRITTEN[name]).map(place => [place.join('.'), place] as const))('%s', (path, place) => {
    const wrong = isObject(valueAt(WRITTEN[name], place)) ? 7 : { toString: 1 };
    const read = noteIn(name, changed(WRITTEN[name], place, wrong));
    const beside = BESIDE[name]?.find(part => path === part || path.startsWith(`${part}.`));
    if (beside === undefined) expect(read).toBeUndefined();
    else expect(read).toEqual(again(changed(WRITTEN[name], beside.split('.'), undefined)));
  });
});

test.each([
  ['', 'what is no date'],
  ['2026-13-01T00:00:00Z', 'no month'],
  ['2026-01-32T00:00:00Z', 'no day'],
  ['2026-01-01T24:00:00Z', 'no hour'],
  ['2026-01-01', 'a day'],
  ['2026-01-01T00:00:00', 'nobody’s time'],
])('%j, %s, is no time', at => {
  expect(noteIn('served', { from: at })).toBeUndefined();
});

test('each time that is read is one', () => {
  const [numbers, zones] = [fc.integer({ min: 0, max: 99 }), fc.constantFrom('Z', '+05:30', '-11:00')];
  const time = fc
    .tuple(numbers, numbers, numbers, numbers, numbers, zones)
    .map(([month, day, hour, min, sec, zone]) => {
      const [mm, dd, hh, mi, ss] = [month, day, hour, min, sec].map(one => String(one).padStart(2, '0'));
      return `2026-${mm}-${dd}T${hh}:${mi}:${ss}${zone}`;
    });
  const shortMonth = fc
    .constantFrom('2026-02-29', '2026-02-31', '2026-04-31', '2024-02-29')
    .map(day => `${day}T12:00:00Z`);
  fc.assert(
    fc.property(fc.oneof(time, shortMonth), at => {
      if (noteIn('served', { from: at }) !== undefined) expect(Date.parse(at)).not.toBeNaN();
    }),
    { numRuns: 2_000 },
  );
});

test('a note’s fields stand as they were written, whoever wrote them: they are compared as texts', () => {
  const turned = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(turned);
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).map(([name, one]) => [name, turned(one)] as const);
    return Object.fromEntries(fields.reverse());
  };
  for (const name of NAMES) {
    const written = turned(WRITTEN[name]);
    expect(JSON.stringify(noteIn(name, again(written)))).toBe(JSON.stringify(written));
  }
});

test('a record of a rollout is the same after it was written and read', () => {
  const record = WRITTEN.rollout as RolloutRecord;
  expect(parseRecord(formatRecord(record))).toEqual(record);
  expect(parseRecord(formatRecord({ ...record, phase: 'Baking', since: AT }))).toMatchObject({ phase: 'Baking' });
});

test('the record of a rotation that is under way names both keys', () => {
  expect(parseRotation(formatRotation(WRITTEN.rotation))).toEqual(WRITTEN.rotation);
  const { from: _from, ...rest } = WRITTEN.rotation;
  expect(parseRotation(formatRotation(rest))).toBeUndefined();
  expect(parseRotation(formatRotation({ ...rest, state: 'Idle' }))).toEqual({ ...rest, state: 'Idle' });
});

/** The requests of an operator of version 0.1.0, one a line. */
const VERSION_1 = join(import.meta.dirname, '../controller/testing/version-1.jsonl');
const BY_ANNOTATION = [
  ['rollout', ANNOTATIONS.rollout],
  ['rotation', ANNOTATIONS.rotation],
  ['verdict', ANNOTATIONS.verdict],
  ['migration', ANNOTATIONS.migration],
  ['rehearsal', ANNOTATIONS.rehearsal],
] as const;

test('what version 0.1.0 wrote is read as it stands', () => {
  const found = new Set<string>();
  for (const line of readFileSync(VERSION_1, 'utf8').trim().split('\n')) {
    const { body } = JSON.parse(line) as { body: { metadata?: { annotations?: Record<string, string> } } };
    for (const [name, annotation] of BY_ANNOTATION) {
      const text = body.metadata?.annotations?.[annotation];
      if (text === undefined) continue;
      found.add(name);
      expect(JSON.stringify(readNote(name, text))).toBe(text);
    }
  }
  expect([...found].sort()).toEqual(BY_ANNOTATION.map(([name]) => name).sort());
});
