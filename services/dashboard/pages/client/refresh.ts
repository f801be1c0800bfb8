/** Figures are kept for 30 s; asked for more often the page would be the same. */
const EVERY_MS = 60_000;

/** What can be reached with the keyboard, in the order of the page. */
const REACHABLE = 'a[href], summary, input, select, button, [tabindex="0"]';

/** Who writes, or chooses in a form, is not disturbed; a page nobody sees is not asked for. */
const isBusy = () => document.hidden || document.activeElement?.closest('form') != null;

/**
 * Brings the page up to date by itself, without leaving it: what is open stays open, the focus stays where it is, and
 * nothing scrolls. `redraw` makes the pictures of the new tables. What fails is tried again a minute later.
 */
export function refreshRegularly(redraw: () => void): void {
  setInterval(async () => {
    if (isBusy()) return;
    const fresh = await readMain().catch(() => undefined);
    const old = document.querySelector('main');
    if (fresh === undefined || old === null || isBusy()) return;
    replace(old, fresh);
    redraw();
  }, EVERY_MS);
}

async function readMain(): Promise<HTMLElement | undefined> {
  const response = await fetch(location.href, { headers: { accept: 'text/html' } });
  if (!response.ok) return undefined;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  return page.querySelector('main') ?? undefined;
}

function replace(old: HTMLElement, fresh: HTMLElement): void {
  const { scrollX, scrollY } = window;
  const all = (selector: string, within: HTMLElement) => [...within.querySelectorAll<HTMLElement>(selector)];
  const focused = all(REACHABLE, old).indexOf(document.activeElement as HTMLElement);
  const open = all('details', old).map(details => (details as HTMLDetailsElement).open);
  for (const [index, details] of all('details', fresh).entries()) {
    (details as HTMLDetailsElement).open = open[index] ?? false;
  }
  old.replaceChildren(...fresh.childNodes);
  if (focused !== -1) all(REACHABLE, old)[focused]?.focus({ preventScroll: true });
  scrollTo(scrollX, scrollY);
}
