// What a pass says when something was in its way. A release is under way, and so is a rotation.
import { expect, test } from '@jest/globals';
import type { Condition } from '../api/conditions.ts';
import { type Obstacle, type Outcome, withObstacles } from './obstacles.ts';

const READY: Condition = { type: 'Ready', status: 'True', reason: 'Progressing', message: 'serves' };
const RELEASING: Condition = { ...READY, type: 'Reconciling' };
const ROTATING: Condition = { type: 'KeysCurrent', status: 'Unknown', reason: 'KeysRotating', message: 'on its way' };
const REFUSED: Obstacle = { reason: 'RotationHeld', message: 'a policy says no', holds: 'rotation' };
const QUOTA: Obstacle = { reason: 'ApiError', message: 'exceeded quota' };

const HELD: Condition = { type: 'KeysCurrent', status: 'False', reason: 'RotationHeld', message: 'a policy says no' };
const NOT_APPLIED: Condition = { type: 'ChildrenApplied', status: 'False', ...QUOTA };

test.each<[string, Outcome, readonly Condition[]]>([
  ['nothing was', { obstacles: [], acted: true }, [READY, RELEASING, ROTATING]],
  ['a rotation is held by who refuses it', { obstacles: [REFUSED], acted: false }, [READY, RELEASING, HELD]],
  [
    'a child was refused, too: the release goes on, and it is said',
    { obstacles: [QUOTA, REFUSED], acted: false },
    [READY, RELEASING, HELD, NOT_APPLIED],
  ],
])('%s', (_sentence, outcome, expected) => {
  expect(withObstacles([READY, RELEASING, ROTATING], outcome)).toEqual(expected);
});
