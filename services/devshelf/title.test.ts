import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { endsTitle, titleOf } from './title.ts';

const of = (html: string, contentType = 'text/html; charset=utf-8') => titleOf(Buffer.from(html), contentType);

test.each([
  ['plain', '<html><head><title>Node.js</title>', 'Node.js'],
  ['upper case, with attributes', '<TITLE lang="es">Guía</TITLE>', 'Guía'],
  ['white space', '<title>\n  A\t\t b \r\n</title>', 'A b'],
  ['entities', '<title>Q&amp;A &lt;b&gt; &#241;&#xF1; &eacute; &nosuch;</title>', 'Q&A <b> ññ é &nosuch;'],
  ['entities that name no character', '<title>a&#0;b&#xD800;c&#x110000;</title>', 'a\ufffdb\ufffdc\ufffd'],
  ['a comment before it', '<!-- <title>no</title> --><title>yes</title>', 'yes'],
  ['a script before it', '<script>"<title>no</title>"</script><title>yes</title>', 'yes'],
  ['<titlefoo> is something else', '<titlefoo>no</titlefoo><title>yes</title>', 'yes'],
  ['letters whose lower case is longer', '<p title="İİİİ"><title>yes</title>', 'yes'],
  ['control characters', '<title>a\u0000\u0007b</title>', 'a b'],
  ['text that turns the direction', '<title>a\u202eb\u2066c</title>', 'abc'],
])('%s', (_case, html, title) => {
  expect(of(html)).toBe(title);
});

test.each([
  ['no title', '<html><body>hello'],
  ['an empty one', '<title> </title>'],
  ['one that does not end', '<title>half'],
  ['a tag that does not end', '<title lang="es"'],
  ['one in a drawing', '<svg><title>icon</title></svg>'],
  ['one in the text', '<body><title>late</title>'],
  ['a comment that does not end', '<!-- <title>no</title>'],
  ['nothing', ''],
])('%s gives none', (_case, html) => {
  expect(of(html)).toBeUndefined();
});

test.each([
  ['the header', Buffer.from('<title>Ñandú</title>', 'latin1'), 'text/html; charset=ISO-8859-1'],
  ['the header, quoted', Buffer.from('<title>Ñandú</title>', 'latin1'), 'text/html; charset="windows-1252"'],
  ['the page', Buffer.from('<meta charset=latin1><title>Ñandú</title>', 'latin1'), 'text/html'],
  [
    'the page, as in HTML 4',
    Buffer.from('<meta http-equiv="Content-Type" content="text/html; charset=latin1"><title>Ñandú</title>', 'latin1'),
    'text/html',
  ],
  ['a mark', Buffer.from('\ufeff<title>Ñandú</title>', 'utf16le'), 'text/html'],
  ['nobody', Buffer.from('<title>Ñandú</title>'), 'text/html'],
  ['a name that does not exist', Buffer.from('<title>Ñandú</title>'), 'text/html; charset=klingon'],
])('the encoding is said by %s', (_case, body, contentType) => {
  expect(titleOf(body, contentType)).toBe('Ñandú');
});

test('it fits the column, cut between characters', () => {
  expect(of(`<title>${'🦆'.repeat(300)}</title>`)).toBe('🦆'.repeat(255));
});

test('whatever bytes come, the answer is undefined or text that PostgreSQL takes', () => {
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .array(fc.constantFrom('<title>', '</title>', '<!--', '-->', '&#', 'x0;', '\0', 'ñ', '<script', 'a'), {
        maxLength: 40,
      })
      .map(parts => Buffer.from(parts.join(''))),
  );
  fc.assert(
    fc.property(body, fc.string({ maxLength: 30 }), (bytes, contentType) => {
      const title = titleOf(bytes, contentType);
      if (title === undefined) return;
      expect(title).not.toContain('\0');
      expect(title.isWellFormed()).toBe(true);
      expect(Array.from(title).length).toBeLessThanOrEqual(255);
    }),
    { numRuns: 2_000 },
  );
});

test.each(['<!--', '<title', '<script', '<', '<meta ', '&#'])('256 KiB of %s are read in no time', text => {
  const begun = performance.now();
  of(text.repeat(262_144 / text.length));
  expect(performance.now() - begun).toBeLessThan(1_000);
});

test('the end of a title is seen', () => {
  expect(endsTitle(Buffer.from('x</TITLE>'))).toBe(true);
  expect(endsTitle(Buffer.from('<title>x'))).toBe(false);
});
