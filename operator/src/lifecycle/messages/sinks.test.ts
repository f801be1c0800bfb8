import { expect, test } from '@jest/globals';
import { parseSinks, wants } from './sinks.ts';

const SECRET = 'T000-canary-B000';
const sink = { name: 'ops', format: 'slack', url: `https://hooks.example/${SECRET}` };
const file = (change: object = {}, rest: object = {}): object => ({
  cluster: 'prod',
  sinks: [{ ...sink, ...change }],
  ...rest,
});

test('a file that says little: everything but what went well, of every namespace', () => {
  expect(parseSinks(file())).toEqual({
    ok: true,
    sinks: {
      cluster: 'prod',
      sinks: [{ ...sink, headers: {}, on: ['rolled-back', 'rejected', 'held', 'outage', 'keys'] }],
    },
  });
});

test('"*" is all of it', () => {
  const read = parseSinks(file({ on: ['*'] }));
  expect(read.ok && read.sinks.sinks[0]?.on).toContain('released');
});

test.each([
  ['no mapping', 'text', 'write a mapping with cluster and sinks'],
  ['no cluster', { sinks: [] }, 'cluster: write a name by which people know this cluster'],
  [
    'a cluster that is no name',
    file({}, { cluster: 'a b' }),
    'cluster="a b": write at most 63 letters, digits, dashes',
  ],
  ['a key that there is not', file({ channel: '#ops' }), 'sinks[0].channel: is not known; there are name, format, url'],
  ['a key that there is not, above', file({}, { sink: 1 }), 'sink: is not known; there are cluster, sinks'],
  [
    'a format that there is not',
    file({ format: 'teams' }),
    'sinks[0].format="teams": write slack, cloudevents or generic',
  ],
  [
    'something to tell that there is not',
    file({ on: ['deploys'] }),
    'sinks[0].on[0]="deploys": write some of rolled-back',
  ],
  ['nothing to tell', file({ on: [] }), 'sinks[0].on: write at least one, or leave it out'],
  [
    'a namespace that is none',
    file({ namespaces: ['Shop'] }),
    'sinks[0].namespaces[0]="Shop": write the name of a namespace',
  ],
  ['no url', file({ url: undefined }), 'sinks[0].url: write where messages go, https://…'],
  ['no address', file({ url: `hooks.example/${SECRET}` }), 'sinks[0].url: write an address, https://…'],
  ['another protocol', file({ url: `ftp://hooks.example/${SECRET}` }), 'sinks[0].url: write an address, https://…'],
  ['no TLS', file({ url: `http://hooks.example/${SECRET}` }), 'sinks[0].url: write https://…; where the way is inside'],
  [
    'a password in it',
    file({ url: `https://me:${SECRET}@hooks.example` }),
    'sinks[0].url: write user and password as a header',
  ],
  [
    'the operator itself',
    file({ url: `https://127.0.0.1/${SECRET}` }),
    'sinks[0].url: this address is the operator’s own',
  ],
  [
    'the same in disguise',
    file({ url: `https://2130706433/${SECRET}` }),
    'sinks[0].url: this address is the operator’s own',
  ],
  [
    'a cloud’s metadata',
    file({ url: `https://169.254.169.254/${SECRET}` }),
    'sinks[0].url: this address is the operator’s own',
  ],
  [
    'two lines in a header',
    file({ headers: { authorization: `${SECRET}\nx: y` } }),
    'sinks[0].headers.authorization: write a text in one line',
  ],
  ['a header that is none', file({ headers: { 'a b': SECRET } }), 'sinks[0].headers.a b: a header’s name has letters'],
  [
    'a header of the connection',
    file({ headers: { Host: SECRET } }),
    'sinks[0].headers.Host: this header is set by the operator',
  ],
  ['no template', file({ format: 'generic' }), 'sinks[0].template: the format generic needs one'],
  ['a template for another format', file({ template: SECRET }), 'sinks[0].template: only the format generic has one'],
  [
    'a template that is no JSON',
    file({ format: 'generic', template: SECRET }),
    'sinks[0].template: write JSON, with the {{fields}} inside',
  ],
  [
    'a place outside of a string',
    file({ format: 'generic', template: '{"text": {{text}} }' }),
    'sinks[0].template: write JSON, with the {{fields}} inside',
  ],
  [
    'a field that there is not',
    file({ format: 'generic', template: '{"text": "{{title}}"}' }),
    'sinks[0].template: {{title}} is not known; there are text',
  ],
  ['one name twice', { cluster: 'prod', sinks: [sink, sink] }, 'sinks[1].name="ops": another sink has this name'],
])('%s is refused, with where it is and what to write', (_what, content, fault) => {
  const read = parseSinks(content);
  const faults = read.ok ? [] : read.faults;
  expect(faults.find(text => text.startsWith(fault))).toBeDefined();
  expect(JSON.stringify(faults)).not.toContain(SECRET);
});

test('every fault is said, not the first alone', () => {
  const read = parseSinks({ cluster: 'prod', sinks: [{ name: 'A', format: 'x', url: 1 }] });
  expect(read.ok ? [] : read.faults).toHaveLength(3);
});

test('plain HTTP is let be where the file says so', () => {
  expect(parseSinks(file({ url: 'http://broker.events.svc/shop', plaintext: true })).ok).toBe(true);
});

test('a sink is told what it asked for', () => {
  const read = parseSinks(file({ on: ['held'], namespaces: ['shop'] }));
  const [ops] = read.ok ? read.sinks.sinks : [];
  if (!ops) throw new Error('refused');
  expect([wants(ops, 'held', 'shop'), wants(ops, 'held', 'other'), wants(ops, 'outage', 'shop')]).toEqual([
    true,
    false,
    false,
  ]);
});
