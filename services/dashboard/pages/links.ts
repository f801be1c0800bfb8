import { type Html, html } from './html.ts';

export type Parameters = Readonly<Record<string, string | number | undefined>>;

/** `path` with the parameters that are set. */
export function address(path: string, parameters: Parameters = {}): string {
  const set = Object.entries(parameters).flatMap(([name, value]): [string, string][] =>
    value === undefined || value === '' ? [] : [[name, String(value)]],
  );
  return set.length === 0 ? path : `${path}?${new URLSearchParams(set)}`;
}

export const DOWNLOADS_PATH = '/analytics/export';

/** Links to the pages' own downloads; no key is needed, as for the page that shows the same figures. */
export function downloads(files: readonly { file: string; name: string }[], parameters: Parameters = {}): Html {
  return html`<div class="row actions">${files.map(
    ({ file, name }) => html`<a class="button" href="${address(`${DOWNLOADS_PATH}/${file}`, parameters)}">${name}</a>`,
  )}</div>`;
}
