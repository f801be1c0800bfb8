import { expect, test } from '@jest/globals';
import { decide } from '../plan.ts';
import { fresh } from '../testing.ts';
import { adoption } from './adoption.ts';

const orphan = (name: string) => ({ kind: 'Secret', name, uid: name });

test('nothing was left behind', () => {
  expect(adoption(fresh())).toBeUndefined();
});

test('what was left behind is taken over before anything else is asked', () => {
  const orphans = [{ kind: 'Deployment', name: 'shop', uid: '1' }, ...['a', 'b', 'c', 'd', 'e', 'f'].map(orphan)];
  const { action, announce } = decide(fresh({ orphans }));
  expect(action).toEqual({ do: 'adopt', orphans });
  expect(announce?.message).toBe(
    'Deployment shop, Secret a, Secret b, Secret c, Secret d and 2 more belonged to nobody and is taken over',
  );
});
