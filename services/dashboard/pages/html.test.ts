import { expect, test } from '@jest/globals';
import { html } from './html.ts';

test('what is put in is escaped, in text and in attributes', () => {
  expect(html`<a title="${`"'`}">${'<b>&'}</a>`.text).toBe('<a title="&quot;&#39;">&lt;b&gt;&amp;</a>');
});

test('Html is put in as it is, alone and in lists; nothing leaves nothing', () => {
  expect(html`${html`<b>${1}</b>`}${[html`<i>`, html`</i>`]}${false}${undefined}${0}`.text).toBe('<b>1</b><i></i>0');
});
