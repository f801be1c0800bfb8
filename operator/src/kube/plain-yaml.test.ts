import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { dump, load } from 'js-yaml';
import { plainYaml } from './plain-yaml.ts';

const KUBECTLS = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: LS0tLS1CRUdJTg==
    extensions:
    - extension:
        last-update: Mon, 30 Nov 2026 01:02:03 UTC
    server: https://127.0.0.1:6443
  name: kind-kind
contexts:
- context:
    cluster: kind-kind
    namespace: "shop"
    user: kind-kind
  name: kind-kind
current-context: kind-kind
kind: Config
preferences: {}
users:
- name: kind-kind
  user:
    client-certificate: /home/me/.kube/me.crt
    insecure: true
`;

test('a kubeconfig as kubectl writes it', () => {
  const words = KUBECTLS.replace('Mon, 30 Nov 2026 01:02:03 UTC', 'monday');
  expect(plainYaml(words)).toEqual(load(words));
  const indented = words.replace(/^- /gm, '  - ').replace(/^ {2}(?=[a-z ])/gm, '    ');
  expect(plainYaml(indented)).toEqual(load(indented));
});

test.each([
  ['text with blanks', KUBECTLS],
  ['a number', 'port: 6443\n'],
  ['what begins as one', 'version: 1.2.3\n'],
  ['null', 'user: null\n'],
  ['nothing', 'user:\n'],
  ['nothing, and another name', 'user:\nname: a\n'],
  ['yes, which was true once', 'is: yes\n'],
  ['a comment', 'a: b # c\n'],
  ['a comment alone', '# c\na: b\n'],
  ['a document’s begin', '---\na: b\n'],
  ['an anchor', 'a: &b c\n'],
  ['a tag', 'a: !!str c\n'],
  ['text in a block', 'a: |\n  b\n'],
  ['text that goes on', 'a: b\n  c\n'],
  ['a list of words', 'args:\n- b\n'],
  ['an escape', 'a: "b\\n"\n'],
  ['a name twice', 'a: b\na: c\n'],
  ['further in than the others', 'a: b\n  c: d\n'],
  ['further out than the first', '  a: b\nc: d\n'],
  ['tabs', '\ta: b\n'],
  ['carriage returns', 'a: b\r\n'],
  ['no mapping', 'a\n'],
  ['nothing at all', ''],
])('%s is for the whole parser', (_what, text) => {
  expect(plainYaml(text)).toBeUndefined();
});

test('whatever is read here is what YAML says', () => {
  const token = fc.constantFrom(
    ...[
      'a',
      'b',
      'name',
      ':',
      ': ',
      ':\n',
      '- ',
      '\n',
      '\n- ',
      '\n  ',
      '\n    ',
      ' ',
      '"',
      '{}',
      'true',
      'https://a:1',
      '#',
      '0',
    ],
  );
  const text = fc.array(token, { maxLength: 24 }).map(tokens => tokens.join(''));
  fc.assert(
    fc.property(text, given => {
      const read = plainYaml(given);
      if (read !== undefined) expect(read).toEqual(load(given));
    }),
  );
});

test('what a writer of YAML makes of mappings and lists is read as they were, or not at all', () => {
  const name = fc.constantFrom('a', 'b-c', 'server', 'name');
  const value = fc.letrec(tie => ({
    any: fc.oneof(
      { maxDepth: 3, depthIdentifier: 'yaml' },
      fc.constantFrom('v', 'https://x:1', '', 'true', '7', '/a/b'),
      tie('map'),
      tie('list'),
    ),
    map: fc.dictionary(name, tie('any'), { minKeys: 1, maxKeys: 3 }),
    list: fc.array(tie('map'), { minLength: 1, maxLength: 2 }),
  }));
  fc.assert(
    fc.property(value.map, given => {
      const read = plainYaml(dump(given));
      if (read !== undefined) expect(read).toEqual(given);
    }),
  );
});
