import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Alike } from './alike.ts';
import { byLabel, compareResourceVersions, keyOf, Room, Store } from './store.ts';

type Item = {
  metadata: {
    namespace: string;
    name: string;
    uid: string;
    resourceVersion: string;
    labels?: Record<string, string>;
    ownerReferences?: { uid: string }[];
  };
};

function item(name: string, resourceVersion: number, more: Partial<Item['metadata']> = {}): Item {
  const metadata = { namespace: 'n', name, uid: `uid-${name}`, resourceVersion: `${resourceVersion}`, ...more };
  return { metadata };
}

const byOwner = ({ metadata }: Item): string[] => (metadata.ownerReferences ?? []).map(({ uid }) => uid);

function watched(store: Store<Item>) {
  const told: string[] = [];
  store.onChange((before, after) => {
    told.push(`${before?.metadata.resourceVersion ?? '-'}>${after?.metadata.resourceVersion ?? '-'}`);
  });
  return told;
}

test('an object is found by name, uid and index, and no more after it is gone', () => {
  const store = new Store<Item>({ owner: byOwner, app: byLabel('app') });
  const one = item('a', 1, { ownerReferences: [{ uid: 'o' }], labels: { app: 'shop' } });
  store.upsert(one);
  const found = () => [
    store.get('n', 'a'),
    ...store.byIndex('owner', 'o'),
    ...store.byIndex('app', keyOf('n', 'shop')),
  ];
  expect(found()).toEqual([one, one, one]);
  store.remove(item('a', 2));
  expect(found()).toEqual([undefined]);
  expect(store.list()).toEqual([]);
});

test('an index that was not declared is a mistake, not an empty answer', () => {
  expect(() => new Store<Item>().byIndex('owner', 'o')).toThrow('no index owner');
});

test('a changed object leaves the indexes of what it was', () => {
  const store = new Store<Item>({ app: byLabel('app') });
  store.upsert(item('a', 1, { labels: { app: 'old' } }));
  store.upsert(item('a', 2, { labels: { app: 'new' } }));
  expect(store.byIndex('app', 'n/old')).toEqual([]);
  expect(store.byIndex('app', 'n/new')).toHaveLength(1);
});

test('a successor of the same name is another object: the first is told as gone', () => {
  const store = new Store<Item>();
  const told = watched(store);
  store.upsert(item('a', 1, { uid: 'first' }));
  store.upsert(item('a', 5, { uid: 'second' }));
  expect(told).toEqual(['->1', '1>-', '->5']);
  store.remove(item('a', 6, { uid: 'first' })); // a late word about the first one
  expect(store.get('n', 'a')?.metadata.uid).toBe('second');
});

test('a new list tells what was missed, and nothing else', () => {
  const store = new Store<Item>();
  for (const name of ['same', 'changed', 'gone', 'replaced']) store.upsert(item(name, 1));
  const told = watched(store);
  const listed = [item('same', 1), item('changed', 7), item('new', 8), item('replaced', 9, { uid: 'other' })];
  store.replace(
    listed.map(object => store.pack(object)),
    '10',
  );
  expect(told.sort()).toEqual(['->8', '->9', '1>-', '1>-', '1>7']);
  expect(store.resourceVersion).toBe('10');
});

test('a first list is put in as it comes, and is nothing to rely on before it is whole', () => {
  const store = new Store<Item>({ app: byLabel('app') });
  const told = watched(store);
  const listed = [item('a', 3, { labels: { app: 'shop' } }), item('b', 5)].map(object => store.fill(object));
  expect(told).toEqual(['->3', '->5']);
  expect(store.byIndex('app', 'n/shop')).toHaveLength(1);
  expect([store.hasSeen('3'), store.resourceVersion]).toEqual([false, '']);
  store.fill(item('gone', 4)); // of a list that was begun and not ended
  store.replace(listed, '9');
  expect(told.slice(2)).toEqual(['->4', '4>-']);
  expect(store.resourceVersion).toBe('9');
});

test('what is listed once more is known by its version, and need not be made again', () => {
  const store = new Store<Item>();
  store.upsert(item('a', 3));
  const known = store.unchanged(item('a', 3).metadata);
  expect(known?.key).toBe('n/a');
  expect([store.unchanged(item('a', 33).metadata), store.unchanged(item('b', 3).metadata)]).toEqual([
    undefined,
    undefined,
  ]);
  const told = watched(store);
  store.replace(known ? [known] : [], '9');
  expect(told).toEqual([]);
  expect(store.list()).toEqual([item('a', 3)]);
});

test('our own write is seen when its resourceVersion, or a later one, has come', () => {
  const store = new Store<Item>();
  expect(store.hasSeen('1')).toBe(false);
  store.replace([], '9');
  expect([store.hasSeen('9'), store.hasSeen('10')]).toEqual([true, false]);
  store.advance('10');
  expect(store.hasSeen('10')).toBe(true);
  store.advance('9');
  expect(store.resourceVersion).toBe('10');
});

test.each([
  ['there is room for it', 2 ** 20],
  ['there is room for half of it', 2 ** 15],
  ['there is none', 0],
])('what is given is what was put in, read lately or long ago, and whatever others say: %s', (_how, characters) => {
  const [alike, room] = [new Alike(), new Room(characters)];
  const [one, two] = [new Store<Item>({ app: byLabel('app') }, alike, room), new Store<Item>({}, alike, room)];
  const objects = Array.from({ length: 300 }, (_, index) => item(`a-${index}`, index + 1, { labels: { app: 'shop' } }));
  for (const object of objects) {
    one.upsert(object);
    two.upsert({ ...object, metadata: { ...object.metadata, uid: 'other' } });
  }
  expect(one.list()).toEqual(objects);
  expect(one.byIndex('app', 'n/shop')).toEqual(objects);
  expect([...one.keys()]).toEqual(objects.map(({ metadata }) => `n/${metadata.name}`));
  for (const object of objects) expect(one.get('n', object.metadata.name)).toEqual(object);
  one.upsert({ ...item('a-7', 1_000), metadata: { ...item('a-7', 1_000).metadata, labels: {} } });
  expect(one.get('n', 'a-7')?.metadata.resourceVersion).toBe('1000');
  expect(one.byIndex('app', 'n/shop')).toHaveLength(299);
  expect(two.get('n', 'a-7')?.metadata.uid).toBe('other');
});

test('texts are packed when there is no more room, those from before two at a time, and room comes back', () => {
  const room = new Room(20_000);
  const store = new Store<Item>({}, new Alike(), room);
  const of = (index: number, version = 1) => item(`a-${index}`, version, { labels: { app: 'shop', tier: 'back' } });
  const plain = 2 + JSON.stringify(of(100)).length; // its version stands before it
  const held: number[] = [];
  for (let index = 100; index < 600; index += 1) {
    store.upsert(of(index));
    held.push(room.held);
  }
  const full = held.findIndex(characters => characters > 20_000);
  expect(held.slice(0, full)).toEqual(Array.from({ length: full }, (_, index) => plain * (index + 1)));
  // each that comes is packed, and two more are, until half is left
  const half = held.findIndex((characters, index) => index > full && characters <= 10_000);
  for (let index = full + 2; index <= half; index += 1) expect(held[index]).toBeLessThan(held[index - 1] ?? 0);
  expect(half - full).toBeLessThan((full * 3) / 4);
  expect(held[half + 1]).toBe((held[half] ?? 0) + plain);
  expect(Math.max(...held)).toBeLessThan(20_000 + plain);
  expect(store.list()).toEqual(Array.from({ length: 500 }, (_, index) => of(index + 100)));
  store.upsert(of(300, 2));
  store.replace([store.pack(of(300, 2)), store.pack(of(301, 3))], '9');
  expect(store.list()).toEqual([of(300, 2), of(301, 3)]);
  store.remove(of(300, 4));
  store.remove(of(301, 4));
  expect(room.held).toBe(0);
});

test('resource versions are numbers, without a limit to their size', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 70n }), fc.bigInt({ min: 1n, max: 2n ** 70n }), (a, b) => {
      expect(Math.sign(compareResourceVersions(`${a}`, `${b}`))).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});
